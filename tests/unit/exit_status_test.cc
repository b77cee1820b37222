// SPDX-License-Identifier: MIT
#include "common/base/exit_status.h"

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <set>
#include <string>

namespace zx {
namespace {

struct Row {
  int number;
  ExitStatus status;
  const char* name;
};

// The public table, least severe first. Scripts depend on the numbers and on the order.
constexpr std::array kTable{
    Row{0, ExitStatus::Ok, "ok"},
    Row{24, ExitStatus::SourceChanged, "source-changed"},
    Row{23, ExitStatus::Partial, "partial"},
    Row{10, ExitStatus::Timeout, "timeout"},
    Row{5, ExitStatus::Network, "network"},
    Row{11, ExitStatus::CommandFailed, "command-failed"},
    Row{6, ExitStatus::FileIo, "file-io"},
    Row{7, ExitStatus::NoSpace, "no-space"},
    Row{9, ExitStatus::Refused, "refused"},
    Row{2, ExitStatus::Usage, "usage"},
    Row{4, ExitStatus::Protocol, "protocol"},
    Row{3, ExitStatus::Auth, "not-authenticated"},
    Row{8, ExitStatus::Integrity, "integrity"},
    Row{1, ExitStatus::Internal, "internal"},
};

TEST_CASE("exit status: the numbers are those of the public table") {
  for (const Row& row : kTable) {
    INFO(row.name);
    CHECK(static_cast<int>(row.status) == row.number);
  }
}

TEST_CASE("exit status: every number and every name is there once") {
  std::set<int> numbers;
  std::set<std::string> names;
  for (const Row& row : kTable) {
    CHECK(numbers.insert(static_cast<int>(row.status)).second);
    CHECK(names.insert(std::string(status_name(row.status))).second);
  }
  // 128 and more are deaths by signal; one byte carries a status on the wire.
  CHECK(*numbers.rbegin() < 128);
}

TEST_CASE("exit status: names are those of the JSON status field") {
  for (const Row& row : kTable) CHECK(status_name(row.status) == row.name);
  CHECK(status_name(static_cast<ExitStatus>(99)) == "unknown");
}

TEST_CASE("exit status: a number from the peer is a status only when the table has it") {
  std::set<uint32_t> known;
  for (const Row& row : kTable) {
    known.insert(static_cast<uint32_t>(row.number));
    const auto status = status_from_number(static_cast<uint32_t>(row.number));
    REQUIRE(status);
    CHECK(*status == row.status);
  }
  for (uint32_t number = 0; number < 300; ++number) {
    INFO(number);
    CHECK(status_from_number(number).has_value() == known.contains(number));
  }
  CHECK_FALSE(status_from_number(UINT32_MAX));
}

TEST_CASE("exit status: the more severe of two wins in either order") {
  for (size_t i = 0; i < kTable.size(); ++i)
    for (size_t k = 0; k < kTable.size(); ++k) {
      INFO(kTable[i].name << " and " << kTable[k].name);
      CHECK(more_severe(kTable[i].status, kTable[k].status) == kTable[std::max(i, k)].status);
    }
}

TEST_CASE("exit status: a full disk and a full quota are no-space and other errors file-io") {
  CHECK(file_status_of_errno(ENOSPC) == ExitStatus::NoSpace);
  CHECK(file_status_of_errno(EDQUOT) == ExitStatus::NoSpace);
  CHECK(file_status_of_errno(EFBIG) == ExitStatus::Refused);
  for (int error : {EIO, EACCES, EPERM, ENOENT, EROFS, ENOTDIR})
    CHECK(file_status_of_errno(error) == ExitStatus::FileIo);
}

}  // namespace
}  // namespace zx
