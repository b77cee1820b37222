// SPDX-License-Identifier: MIT
#include "common/ui/program.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <new>

#include "common/base/error.h"
#include "common/net/openssl_memory.h"

namespace zx {

namespace {

// What is lowered or raised here a child gets back (base/child.h): only soft limits.
void set_soft_limit(__rlimit_resource_t resource, rlim_t wanted) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  (void)setrlimit(resource, &limit);
}

// Started with a standard descriptor closed, the first file or socket opened here would get its
// number, and messages would be written into it.
void occupy_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (fcntl(fd, F_GETFD) < 0)  // in the wrong direction: so that using it fails
      (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

// Keys live in this process: no core dumps, and memory and environment hidden from other processes
// of this user.
void forbid_core_dumps() {
  set_soft_limit(RLIMIT_CORE, 0);
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace

int run_program(const char* name, const std::function<ExitStatus(Console&, Ledger&)>& body) {
  forbid_core_dumps();
  wipe_what_openssl_frees();
  occupy_standard_descriptors();
  // Several sources mean several open files on both sides; the limit of 1024 is for select(2).
  set_soft_limit(RLIMIT_NOFILE, RLIM_INFINITY);
  int signal = 0;
  ExitStatus status = ExitStatus::Internal;
  try {
    SignalWatch signals;
    Console console(name, signals);
    Ledger ledger;
    try {
      status = body(console, ledger);
    } catch (const Error& e) {
      status = e.status();
      (void)console.finish(status, e.what(), ledger);
    } catch (const Interrupted& stop) {
      signal = stop.signal;
      console.finish_interrupted(signal, ledger);
    } catch (const std::bad_alloc&) {
      (void)console.finish(status, "out of memory", ledger);
    } catch (const std::exception& e) {
      (void)console.finish(status, std::string("internal error: ") + e.what(), ledger);
    }
  } catch (const std::exception& e) {
    // No thread or descriptor for the signals: a limit.
    std::fprintf(stderr, "%s: error: cannot start: %s\n", name, e.what());
    return static_cast<int>(ExitStatus::Internal);
  }
  if (signal != 0) die_by_signal(signal);
  return static_cast<int>(status);
}

}  // namespace zx
