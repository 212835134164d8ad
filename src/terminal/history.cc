#include "terminal/history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "terminal/safe_text.h"

namespace flashmoe::terminal {
namespace {

std::string Escaped(std::string_view entry) {
  std::string line;
  for (const char c : entry) {
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\\') {
      line += "\\\\";
    } else {
      line += c;
    }
  }
  return line + "\n";
}

std::string Unescaped(std::string_view line) {
  std::string entry;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      entry += line[++i] == 'n' ? '\n' : line[i];
    } else {
      entry += line[i];
    }
  }
  return Harmless(entry);
}

Status WriteLines(const std::string& path, int flags, std::string_view lines) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
  // One write, so that entries of programs that run at once do not mix.
  const ssize_t written = fd < 0 ? -1 : write(fd, lines.data(), lines.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (written == static_cast<ssize_t>(lines.size())) return {};
  return Fail(ErrorCode::kIo, fmt::format("the history was not written: {}", strerror(error)),
              path);
}

}  // namespace

History::History(std::string path) : path_(std::move(path)) {
  std::ifstream file(path_);
  std::string line;
  while (std::getline(file, line)) {
    ++lines_;
    if (line.size() <= 2 * kEntryBytesMax) Keep(Unescaped(line));
  }
}

void History::Keep(std::string entry) {
  entries_.push_back(std::move(entry));
  if (entries_.size() > kEntriesMax) entries_.pop_front();
}

Status History::Add(std::string_view entry) {
  const bool blank = entry.find_first_not_of(" \n\t") == std::string_view::npos;
  if (blank || entry.size() > kEntryBytesMax) return {};
  if (!entries_.empty() && entries_.back() == entry) return {};
  Keep(std::string(entry));
  if (path_.empty()) return {};
  if (lines_ >= 2 * kEntriesMax) return Rewrite();
  ++lines_;
  return WriteLines(path_, O_APPEND, Escaped(entry));
}

Status History::Rewrite() {
  std::string lines;
  for (const std::string& entry : entries_) lines += Escaped(entry);
  const std::string part = path_ + ".part";
  FM_RETURN_IF_ERROR(WriteLines(part, O_TRUNC, lines));
  if (std::rename(part.c_str(), path_.c_str()) != 0) {
    return Fail(ErrorCode::kIo, fmt::format("the history was not written: {}", strerror(errno)),
                path_);
  }
  lines_ = entries_.size();
  return {};
}

}  // namespace flashmoe::terminal
