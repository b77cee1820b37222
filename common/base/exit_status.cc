// SPDX-License-Identifier: MIT
#include "common/base/exit_status.h"

#include <array>
#include <cerrno>

namespace zx {
namespace {

struct Row {
  ExitStatus status;
  std::string_view name;
};

// Least severe first: the order is the meaning of more_severe().
constexpr std::array kBySeverity{
    Row{ExitStatus::Ok, "ok"},
    Row{ExitStatus::SourceChanged, "source-changed"},
    Row{ExitStatus::Partial, "partial"},
    Row{ExitStatus::Timeout, "timeout"},
    Row{ExitStatus::Network, "network"},
    Row{ExitStatus::CommandFailed, "command-failed"},
    Row{ExitStatus::FileIo, "file-io"},
    Row{ExitStatus::NoSpace, "no-space"},
    Row{ExitStatus::Refused, "refused"},
    Row{ExitStatus::Usage, "usage"},
    Row{ExitStatus::Protocol, "protocol"},
    Row{ExitStatus::Auth, "not-authenticated"},
    Row{ExitStatus::Integrity, "integrity"},
    Row{ExitStatus::Internal, "internal"},
};

size_t severity(ExitStatus status) {
  for (size_t i = 0; i < kBySeverity.size(); ++i)
    if (kBySeverity[i].status == status) return i;
  return kBySeverity.size();
}

}  // namespace

std::string_view status_name(ExitStatus status) {
  const size_t i = severity(status);
  return i < kBySeverity.size() ? kBySeverity[i].name : "unknown";
}

std::optional<ExitStatus> status_from_number(uint32_t number) {
  for (const Row& row : kBySeverity)
    if (static_cast<uint32_t>(row.status) == number) return row.status;
  return std::nullopt;
}

ExitStatus more_severe(ExitStatus a, ExitStatus b) {
  return severity(a) >= severity(b) ? a : b;
}

ExitStatus file_status_of_errno(int error) {
  if (error == ENOSPC || error == EDQUOT) return ExitStatus::NoSpace;
  return error == EFBIG ? ExitStatus::Refused : ExitStatus::FileIo;
}

}  // namespace zx
