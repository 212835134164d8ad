#include "terminal/terminal_mode.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace flashmoe::terminal {
namespace {

// Of the process, as the terminal is; a signal handler must reach them.
termios original;
std::atomic<bool> original_known = false;
std::atomic<int> wake_in = -1, wake_out = -1;

extern "C" void OnResize(int) { Wake(); }

void MakeWakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
  wake_out = ends[0];
  wake_in = ends[1];
  struct sigaction action = {};
  action.sa_handler = OnResize;
  action.sa_flags = SA_RESTART;
  sigaction(SIGWINCH, &action, nullptr);
}

}  // namespace

bool IsTerminal() { return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1; }

void SetInputMode(InputMode mode) {
  if (!original_known) {
    if (tcgetattr(STDIN_FILENO, &original) != 0) return;
    original_known = true;
  }
  termios wanted = original;
  if (mode != InputMode::kOriginal) {
    wanted.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN);
    wanted.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL | INLCR);
    wanted.c_cc[VMIN] = 1;
    wanted.c_cc[VTIME] = 0;
  }
  if (mode == InputMode::kRaw) wanted.c_lflag &= ~static_cast<tcflag_t>(ISIG);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &wanted);
}

void RestoreInputMode() {
  if (original_known) tcsetattr(STDIN_FILENO, TCSANOW, &original);
}

ScreenSize CurrentScreenSize() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {size.ws_col, size.ws_row};
}

int WakeFd() {
  if (wake_out < 0) MakeWakePipe();
  return wake_out;
}

void Wake() {
  const int saved = errno;
  if (wake_in >= 0) {
    // A full pipe wakes as well.
    [[maybe_unused]] const ssize_t written = write(wake_in, "w", 1);
  }
  errno = saved;
}

void TakeWakes() {
  char buffer[64];
  while (wake_out >= 0 && read(wake_out, buffer, sizeof buffer) > 0) {
  }
}

}  // namespace flashmoe::terminal
