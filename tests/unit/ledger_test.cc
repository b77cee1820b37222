// SPDX-License-Identifier: MIT
#include "common/session/ledger.h"

#include <catch2/catch.hpp>

#include "common/base/quote.h"

namespace zx {
namespace {

Digest number(uint8_t value) {
  Digest out{};
  out.back() = static_cast<std::byte>(value);
  return out;
}

EntryOutcome entry(ExitStatus status, bool changed = false, bool skipped = false) {
  EntryOutcome out;
  out.status = status;
  out.changed = changed;
  out.skipped = skipped;
  return out;
}

TEST_CASE("Ledger: what could not be synced is not durable") {
  Ledger ledger;
  CHECK_FALSE(ledger.could_sync());
  EntryOutcome out = entry(ExitStatus::Ok);
  out.caveats[Caveat::Mode];
  ledger.add(out);
  CHECK(ledger.could_sync());
  out.skipped = true;
  out.caveats[Caveat::Sync];
  ledger.add(out);
  CHECK(ledger.could_sync());
  out.skipped = false;
  ledger.add(out);
  CHECK_FALSE(ledger.could_sync());
}

TEST_CASE("Ledger: the status that follows from the entries") {
  const EntryOutcome good = entry(ExitStatus::Ok);
  const EntryOutcome changed = entry(ExitStatus::Ok, true);
  const EntryOutcome skipped = entry(ExitStatus::Ok, false, true);
  const EntryOutcome disk = entry(ExitStatus::FileIo);
  const EntryOutcome space = entry(ExitStatus::NoSpace);
  const EntryOutcome damaged = entry(ExitStatus::Integrity);
  const EntryOutcome refused = entry(ExitStatus::Refused);
  const EntryOutcome failed_and_changed = entry(ExitStatus::FileIo, true);

  struct {
    const char* name;
    std::vector<EntryOutcome> entries;
    ExitStatus status;
  } const rows[] = {
      {"one good", {good}, ExitStatus::Ok},
      {"one changed", {changed}, ExitStatus::SourceChanged},
      {"one skipped", {skipped}, ExitStatus::Ok},
      {"one failed has its own status", {disk}, ExitStatus::FileIo},
      {"one damaged", {damaged}, ExitStatus::Integrity},
      {"one refused", {refused}, ExitStatus::Refused},
      {"one failed that changed too", {failed_and_changed}, ExitStatus::FileIo},
      {"all good", {good, good, good}, ExitStatus::Ok},
      {"good and skipped", {good, skipped}, ExitStatus::Ok},
      {"good and changed", {good, changed, good}, ExitStatus::SourceChanged},
      {"good and failed", {good, disk}, ExitStatus::Partial},
      {"failed and good", {disk, good}, ExitStatus::Partial},
      {"skipped and failed", {skipped, disk}, ExitStatus::Partial},
      {"changed and failed", {changed, disk}, ExitStatus::Partial},
      {"good and two that failed", {disk, good, damaged}, ExitStatus::Partial},
      {"all failed the same way", {disk, disk}, ExitStatus::FileIo},
      {"all failed and the worst wins", {disk, space}, ExitStatus::NoSpace},
      {"in any order", {space, disk}, ExitStatus::NoSpace},
      {"damage is the worst", {refused, damaged, space}, ExitStatus::Integrity},
  };
  for (const auto& row : rows) {
    INFO(row.name);
    Ledger ledger;
    for (const EntryOutcome& outcome : row.entries) ledger.add(outcome);
    CHECK(status_name(ledger.status()) == status_name(row.status));
  }
}

TEST_CASE("Ledger: an empty one is ok with nothing in it") {
  const Ledger ledger;
  CHECK(ledger.status() == ExitStatus::Ok);
  CHECK(ledger.entries() == 0);
  CHECK(ledger.only() == nullptr);
  CHECK(ledger.totals().entries == 0);
  CHECK(ledger.totals().bytes == 0);
  CHECK(to_hex(ledger.totals().root) == std::string(32, '0'));
}

TEST_CASE("Ledger: totals are of what was committed") {
  Ledger ledger;
  EntryOutcome good = entry(ExitStatus::Ok);
  good.id = 1;
  good.bytes = 100;
  good.retransmitted_blocks = 2;
  EntryOutcome changed = entry(ExitStatus::Ok, true);
  changed.id = 2;
  changed.bytes = 30;
  EntryOutcome skipped = entry(ExitStatus::Ok, false, true);
  skipped.id = 3;
  skipped.bytes = 5000;
  EntryOutcome failed = entry(ExitStatus::FileIo);
  failed.id = 4;
  failed.bytes = 7000;
  EntryOutcome vanished = entry(ExitStatus::SourceChanged);
  vanished.id = 5;
  for (EntryOutcome outcome : {good, changed, skipped, failed, vanished}) {
    outcome.block_sum = number(7);
    ledger.add(outcome);
  }
  CHECK(ledger.entries() == 5);
  CHECK(ledger.totals().skipped == 1);
  CHECK(ledger.totals().failed == 1);
  CHECK(ledger.totals().vanished == 1);
  CHECK(ledger.totals().entries == 2);
  CHECK(ledger.totals().bytes == 130);
  CHECK(ledger.totals().retransmitted_blocks == 2);

  DigestSum root;
  root.add(entry_part(1, 100, number(7)));
  root.add(entry_part(2, 30, number(7)));
  CHECK(to_hex(ledger.totals().root) == to_hex(root.value()));
}

TEST_CASE("Ledger: many failures of one kind have its status") {
  Ledger ledger;
  EntryOutcome outcome = entry(ExitStatus::NoSpace);
  for (uint64_t id = 1; id <= 500; ++id) {
    outcome.id = id;
    ledger.add(outcome);
    CHECK((ledger.only() != nullptr) == (id == 1));
  }
  CHECK(ledger.failed() == 500);
  CHECK((ledger.status() == ExitStatus::NoSpace));
}

TEST_CASE("Ledger: the root does not depend on the order of the entries but on all they are") {
  EntryOutcome a = entry(ExitStatus::Ok), b = entry(ExitStatus::Ok);
  a.id = 1;
  a.bytes = 10;
  b.id = 2;
  b.bytes = 20;
  const auto root = [](const std::vector<std::pair<EntryOutcome, Digest>>& entries) {
    Ledger ledger;
    for (auto [outcome, sum] : entries) {
      outcome.block_sum = sum;
      ledger.add(outcome);
    }
    return to_hex(ledger.totals().root);
  };
  const std::string both = root({{a, number(1)}, {b, number(2)}});
  CHECK(root({{b, number(2)}, {a, number(1)}}) == both);
  CHECK(root({{a, number(2)}, {b, number(1)}}) != both);
  CHECK(root({{a, number(1)}}) != both);
  EntryOutcome longer = b;
  longer.bytes = 21;
  CHECK(root({{a, number(1)}, {longer, number(2)}}) != both);
}

}  // namespace
}  // namespace zx
