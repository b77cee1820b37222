# A full disk: 7 on both sides, the message names the file and the cause, nothing stays.
. "$(dirname "$0")/lib.sh"
mkdir "$t/mnt"; mount -t tmpfs -o size=4m tmpfs "$t/mnt" 2>/dev/null || skip "cannot mount a tmpfs here"
random_file "$t/f" 8000000; truncate -s 8000000 "$t/holes"; random_file "$t/tail" 6000000
dd if="$t/tail" of="$t/holes" bs=1M seek=2 conv=notrunc status=none
for mode in "${modes[@]}"; do
  for file in f holes; do              # reserved before the first byte; and found while writing
    start_recv $mode --block-size=1M "$t/mnt"
    status_of "$ZSEND" $mode --block-size=1M "$t/$file" "zs://127.0.0.1:$port" 2>"$t/send.err"
    expect_status 7 "zsend $mode $file"
    wait_for "$recv"; expect_status 7 "zrecv $mode $file"
    expect_in "$t/recv.err" "$file"; expect_in "$t/recv.err" "No space left"
    expect_in "$t/send.err" "$file"; expect_in "$t/send.err" "No space left"
    expect_only "$t/mnt" ""
  done
done
