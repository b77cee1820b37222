// SPDX-License-Identifier: MIT
#include "common/ui/program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <new>
#include <system_error>

#include "common/base/error.h"

namespace zx {

namespace {

// Several sources mean several open files on both sides; the soft limit of 1024 is for select(2).
void allow_many_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

// Started with a standard descriptor closed, the first file or socket opened here would get its
// number, and messages would be written into it.
void occupy_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (fcntl(fd, F_GETFD) < 0)  // in the wrong direction: so that using it fails
      (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

}  // namespace

int run_program(const char* name, const std::function<ExitStatus(Console&, Ledger&)>& body) {
  occupy_standard_descriptors();
  allow_many_files();
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
  } catch (const std::system_error& e) {
    // No thread for the signals: a limit on processes.
    std::fprintf(stderr, "%s: error: cannot start: %s\n", name, e.what());
    return static_cast<int>(ExitStatus::Internal);
  }
  if (signal != 0) die_by_signal(signal);
  return static_cast<int>(status);
}

}  // namespace zx
