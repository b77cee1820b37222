// SPDX-License-Identifier: MIT
// Every number that bounds what a peer may send. Checked before anything is allocated. All sizes in
// bytes. zsend-protocol(7) repeats them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zx {

constexpr uint8_t kProtocolVersion = 4;

constexpr size_t kPrefaceBytes = 24;
constexpr size_t kFrameHeaderBytes = 32;

// A block: one DATA frame, one digest; by sendfile(2) two system calls send it, 120 a GB with 16
// MiB. Not more, so that a lost block is cheap to send again.
constexpr uint32_t kMinBlockBytes = 1U << 20;
constexpr uint32_t kDefaultBlockBytes = 16U << 20;
constexpr uint32_t kMaxBlockBytes = 16U << 20;

// What a receiver that hands the content on wants at most: it is handed on by blocks, and several
// wait in its memory.
constexpr uint32_t kStreamBlockBytes = 4U << 20;

// Payload of every frame but DATA. An ENTRY with the longest name list fits.
constexpr uint32_t kMaxMessageBytes = 128U << 10;

constexpr size_t kMaxNameBytes = 255;        // one component; NAME_MAX of Linux
constexpr size_t kMaxPathComponents = 1024;  // deeper trees than any tool can handle by path
constexpr size_t kMaxPathBytes = 64U << 10;  // all components of one path together
// The path of an entry of a tree below the destination: each of thousands under way has its own.
constexpr size_t kMaxTreePathBytes = 16U << 10;
// What is deleted may be deeper. Paths, and their bytes, of one message: a longest one more fits.
constexpr size_t kMaxDeletedPathBytes = 32U << 10;
constexpr size_t kMaxDeleted = 1024, kMaxDeletedBytes = 64U << 10;
constexpr size_t kMaxOperandBytes = 4095;  // a path in one piece; PATH_MAX without its NUL
constexpr size_t kMaxTextBytes = 1024;     // free text from the peer
constexpr size_t kMaxBuildBytes = 64;      // the peer's program and version
constexpr size_t kMaxEngineBytes = 48;     // the names of data paths

// A rate limit, bytes/s. With less even one segment of a loopback interface would take minutes.
constexpr uint64_t kMinRateLimit = 1024;

// See Terms::silence_ms.
constexpr uint32_t kMinSilenceMs = 250, kMaxSilenceMs = 15000;

// off_t of Linux: nothing larger can be a file.
constexpr uint64_t kMaxFileBytes = (uint64_t{1} << 63) - 1;

// What a receiver does not want of a tree: patterns, and their bytes. A HELLO with the longest path
// fits.
constexpr size_t kMaxFilterRules = 2048;
constexpr size_t kMaxFilterBytes = 48U << 10;

// Connections of one session.
constexpr uint16_t kMaxStreams = 16;
// Blocks on one connection without an ACK: what its receiver must remember of those it has
// verified, to tell one whose ACK was lost with the connection. Small files are one each: with a
// round trip of 50 ms so many let 80,000 of them pass in a second.
constexpr size_t kMaxUnacknowledged = 4096;
// Ranges of one entry with gaps between them, with several streams: more than their blocks can
// leave.
constexpr size_t kMaxCoveredRanges = 1024;

// Content of an entry of unknown length that the receiver has not acknowledged. The sender keeps it
// in memory, to be sent again; a receiver that cannot pass content on may have to keep as much.
constexpr uint64_t kMaxUnacknowledgedBytes = 32U << 20;

// Announced entries that are not complete yet at the receiver: more than those whose blocks are
// lost with a connection.
constexpr size_t kMaxOpenEntries = 2 * kMaxUnacknowledged;
// Of these, those with several blocks, or with one that arrived damaged: each holds a descriptor.
constexpr size_t kMaxOpenFiles = 16;
// Complete entries that have no RESULTS yet: the sender remembers their names.
constexpr size_t kMaxUncommitted = 16384;
// Directories with files that the sender has asked about, and that are not skipped and have not
// come yet, with those that they are in (session/asked_directories.h). Of such files there are
// kMaxUncommitted at most.
constexpr size_t kMaxAskedDirectories = 256;
// Counted messages that the peer has not counted yet, and their bytes.
constexpr size_t kMaxUncounted = 65536;
constexpr size_t kMaxUncountedBytes = 32U << 20;
// Extended attributes of one entry, names and values together, and its ACLs, each of them; the
// names of users and groups (LOGIN_NAME_MAX of Linux).
constexpr size_t kMaxXattrBytes = 64 << 10, kMaxXattrs = 4096;
constexpr size_t kMaxAclBytes = 16 << 10, kMaxAclEntries = 1024;
constexpr size_t kMaxPrincipalBytes = 255;
// Extended attributes of all entries that are open.
constexpr size_t kMaxOpenXattrBytes = 32 << 20;
// Files with several names, of which more are to come as hard links.
constexpr size_t kMaxLinkedFiles = 256 << 10;
// Damaged blocks of one entry at a time: more is a broken path, not an accident.
constexpr size_t kMaxDamagedBlocks = 64;
// Hashing more than this at once is done with heartbeats to the peer.
constexpr uint64_t kLongHashBytes = uint64_t{1} << 30;
// An entry with more holes has no digest of the whole: nobody shall have to hash zeros for ever.
constexpr uint64_t kMostHashedZeros = uint64_t{1} << 40;
// How often one block is asked for again before the entry fails with Integrity.
constexpr int kMaxBlockRetries = 3;

}  // namespace zx
