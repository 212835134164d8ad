// A progress bar on stderr, drawn only when stderr is a terminal and the work takes a while.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "apps/flashmoe/command_line.h"
#include "base/clock.h"
#include "base/units.h"

namespace flashmoe::cli {
namespace {

constexpr double kPatienceSeconds = 0.5;  // nothing is drawn for what is done sooner
constexpr double kRedrawSeconds = 0.1;
constexpr int kWidth = 10;

struct Bar {
  std::string stage;
  double began = 0;
  double drawn = 0;
  bool visible = false;
};
Bar bar;

std::string Amount(const Progress& p) {
  const std::string_view stage = p.stage;
  const bool bytes = stage == "loading" || stage == "writing";
  if (bytes) return fmt::format("{} of {}", FormatBytes(p.done), FormatBytes(p.total));
  return fmt::format("{} of {} tokens", p.done, p.total);
}

// ", disk 1.92 GB/s": what it has given on average; empty if it was not read.
std::string DiskSpeed(const Progress& p, double seconds) {
  const auto bytes = static_cast<double>(p.bytes_read);
  return bytes > 0 ? fmt::format(", disk {:.2f} GB/s", bytes / seconds / 1e9) : "";
}

// What fits beside the cursor: a line that wraps cannot be drawn over.
size_t LineWidth() {
  winsize size = {};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? size.ws_col - 1 : 79;
}

void Draw(const Progress& p) {
  const double now = NowSeconds();
  if (bar.stage != p.stage) bar = {p.stage, now, 0, bar.visible};
  if (now - bar.began < kPatienceSeconds || now - bar.drawn < kRedrawSeconds) return;
  const double part = p.total > 0 ? static_cast<double>(p.done) / static_cast<double>(p.total) : 0;
  const int filled = static_cast<int>(part * kWidth);
  const std::string line =
      fmt::format("{} [{:<{}}] {:.0f} %, {}, {:.0f} s{}", p.stage, std::string(filled, '='), kWidth,
                  part * 100, Amount(p), now - bar.began, DiskSpeed(p, now - bar.began));
  std::fputs(("\r\x1b[K" + line.substr(0, LineWidth())).c_str(), stderr);
  std::fflush(stderr);
  bar.drawn = now;
  bar.visible = true;
}

}  // namespace

ProgressFn TerminalProgress() {
  if (isatty(STDERR_FILENO) == 0) return {};
  return Draw;
}

void ClearProgress() {
  if (!bar.visible) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  bar = {};
}

}  // namespace flashmoe::cli
