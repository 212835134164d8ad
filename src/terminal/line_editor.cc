#include "terminal/line_editor.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "terminal/terminal_mode.h"

namespace flashmoe::terminal {
namespace {

constexpr int kEscapeMs = 50;  // a lone Esc is one after this
constexpr std::string_view kPasteOn = "\x1b[?2004h";
constexpr std::string_view kPasteOff = "\x1b[?2004l";

// The terminal belongs to the editor as long as this lives.
class RawTerminal {
 public:
  explicit RawTerminal(const Sink& sink) : sink_(sink) { Enter(); }
  ~RawTerminal() { Leave(); }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  void Suspend() {
    Leave();
    raise(SIGTSTP);
    Enter();
  }

 private:
  void Enter() {
    SetInputMode(InputMode::kRaw);
    sink_(kPasteOn);
  }
  void Leave() {
    sink_(kPasteOff);
    SetInputMode(InputMode::kOriginal);
  }
  const Sink& sink_;
};

std::optional<EditorInput::End> EndOf(EditSession::Step step) {
  switch (step) {
    case EditSession::Step::kEnter:
      return EditorInput::End::kEntered;
    case EditSession::Step::kInterrupt:
      return EditorInput::End::kInterrupted;
    case EditSession::Step::kEnd:
      return EditorInput::End::kEnded;
    default:
      return std::nullopt;
  }
}

}  // namespace

// Back to where LiveArea expects the cursor: behind the last row.
void LineEditor::LeaveCursor() {
  if (view_.rows.empty()) return;
  const size_t down = view_.rows.size() - 1 - view_.cursor_row;
  std::string out;
  if (down > 0) out += fmt::format("\x1b[{}B", down);
  out += '\r';
  if (view_.rows.back().columns > 0) out += fmt::format("\x1b[{}C", view_.rows.back().columns);
  sink_(out);
}

void LineEditor::Paint(const EditSession& session, std::string_view prompt) {
  LeaveCursor();
  area_.SetSize(CurrentScreenSize());
  view_ = session.Look(prompt, area_.size());
  area_.Update({}, view_.rows);
  const size_t up = view_.rows.size() - 1 - view_.cursor_row;
  std::string out;
  if (up > 0) out += fmt::format("\x1b[{}A", up);
  out += '\r';
  if (view_.cursor_column > 0) out += fmt::format("\x1b[{}C", view_.cursor_column);
  sink_(out);
}

// Nothing: the time is over, a wake came, or (`woken` false, no timeout) the terminal is gone.
std::string LineEditor::ReadBytes(int timeout_ms, bool& woken) {
  pollfd polled[] = {{STDIN_FILENO, POLLIN, 0}, {WakeFd(), POLLIN, 0}};
  const int ready = poll(polled, 2, timeout_ms);
  woken = ready < 0 || polled[1].revents != 0;
  if (woken) TakeWakes();
  if (ready <= 0 || polled[0].revents == 0) return {};
  char buffer[4096];
  const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
  if (n < 0 && errno == EINTR) woken = true;
  if (n > 0) woken = false;
  return {buffer, static_cast<size_t>(n > 0 ? n : 0)};
}

// The next keys; empty if the terminal is gone or `stop` said so.
std::vector<Key> LineEditor::NextKeys(const std::function<bool()>& stop, bool& ended) {
  if (!ahead_.empty()) return std::exchange(ahead_, {});
  bool woken = false;
  const std::string bytes = ReadBytes(decoder_.pending() ? kEscapeMs : -1, woken);
  if (!bytes.empty()) return decoder_.Push(bytes);
  if (woken) {
    ended = stop && stop();
  } else if (decoder_.pending()) {
    return decoder_.Flush();
  } else {
    ended = true;
  }
  return {};
}

EditorInput LineEditor::Read(std::string_view prompt, const std::function<bool()>& stop) {
  RawTerminal terminal(sink_);
  EditSession session(history_, words_);
  view_ = {};
  area_ = LiveArea(sink_, CurrentScreenSize());
  std::optional<EditorInput::End> end;
  WakeFd();  // from here on no wake is lost; one that came before has left its trace in `stop`
  if (stop && stop()) end = EditorInput::End::kEnded;
  while (!end) {
    Paint(session, prompt);
    bool ended = false;
    const std::vector<Key> keys = NextKeys(stop, ended);
    if (ended) end = EditorInput::End::kEnded;
    for (size_t i = 0; i < keys.size() && !end; ++i) {
      const EditSession::Step step = session.Press(keys[i]);
      if (step == EditSession::Step::kSuspend || step == EditSession::Step::kClearScreen) {
        LeaveCursor();
        area_.Keep();
        view_ = {};
        if (step == EditSession::Step::kSuspend) terminal.Suspend();
        if (step == EditSession::Step::kClearScreen) sink_("\x1b[H\x1b[2J");
        continue;
      }
      end = EndOf(step);
      if (end) ahead_.assign(keys.begin() + static_cast<ptrdiff_t>(i) + 1, keys.end());
    }
  }
  Paint(session, prompt);
  LeaveCursor();
  area_.Keep();
  return {*end, session.text()};
}

}  // namespace flashmoe::terminal
