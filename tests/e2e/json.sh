# --json: every line is an object, summary last with all its members; hostile names stay inside strings
# and never reach the terminal raw.
. "$(dirname "$0")/lib.sh"
mkdir "$t/d"; name=$'a\n\e[1A\x9b\xe2\x80\xae\xff z'; echo x >"$t/$name"
start_recv -v --ktls=off --digest="$t/dig" "$t/d"
status_of "$ZSEND" -v --ktls=off --json --digest="$t/dig2" "$t/$name" "zs://127.0.0.1:$port" >"$t/send.json" 2>"$t/send.err"
expect_status 0
wait_for "$recv"; expect_status 0
expect_same "$t/$name" "$t/d/$name"
! LC_ALL=C grep -P '[\x00-\x08\x0b-\x1f\x7f]|\x9b|\xe2\x80\xae' "$t/send.err" "$t/recv.err" || fail "a raw control byte on stderr"
python3 - "$t/send.json" "$t/recv.json" <<'P'
import base64, json, sys
for path in sys.argv[1:]:
    lines = [json.loads(line) for line in open(path, encoding="utf-8", newline="\n")]
    assert all(line["v"] == 1 for line in lines)
    last = lines[-1]
    assert last["event"] == "summary", last
    for key in ("exit", "status", "files", "bytes", "wire_bytes", "seconds", "retransmitted_blocks",
                "resumed_bytes", "durable", "path", "digest"):
        assert key in last, key
    assert last["exit"] == 0 and last["status"] == "ok" and last["files"] == 1 and last["bytes"] == 2
    assert last["durable"] is True and len(last["digest"]) == 32 and last["wire_bytes"] > 2
    assert last["path"] == {"tx": "readwrite", "rx": "readwrite", "tls": "user", "tls_peer": "user",
                            "cipher": last["path"]["cipher"], "why": last["path"]["why"], "via": "direct"}, last["path"]
    assert last["path"]["cipher"].startswith("TLS_")
    assert "zrecv: TLS in user space: --ktls=off" in last["path"]["why"], last["path"]["why"]
    entry = [line for line in lines if line["event"] == "entry"][0]
    assert base64.b64decode(entry["name_b64"]).endswith(b"a\n\x1b[1A\x9b\xe2\x80\xae\xff z")
    assert any(line["event"] == "connected" for line in lines)
P
# An error is an event too, and the summary still comes last.
status_of "$ZSEND" --json "$t/none" zs://127.0.0.1:1 >"$t/err.json" 2>/dev/null; expect_status 6
tail -1 "$t/err.json" | grep -q '"event":"summary","exit":6,"status":"file-io"' || fail "no summary after an error"
