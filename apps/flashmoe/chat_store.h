// Conversations as files, to be gone on with later.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "chat/chat_request.h"

namespace flashmoe::cli {

struct Conversation {
  std::string name;   // of its file
  std::string model;  // that answered last
  std::string system;
  bool thinking = false;
  std::vector<ChatMessage> messages;  // without the system's
};

struct StoredChat {
  std::string name;
  std::string first_words;  // of the user
  int64_t saved_s = 0;      // since 1970
  size_t messages = 0;
};

class ChatStore {
 public:
  // A folder that is made when something is saved. Empty: nothing can be kept.
  explicit ChatStore(std::string folder) : folder_(std::move(folder)) {}

  // Atomically: the file is the old or the new one, whatever happens. Only the user may read it.
  Status Save(const Conversation& chat) const;
  Result<Conversation> Load(const std::string& name) const;
  bool Exists(const std::string& name) const;
  // The newest first. Files that are no chats are left out.
  std::vector<StoredChat> List() const;

  // A name after the time, like "2026-11-26-101530", that no chat has.
  std::string NewName() const;
  const std::string& folder() const { return folder_; }

 private:
  std::string PathOf(const std::string& name) const;
  std::string folder_;
};

// What is wrong with a name; empty: nothing.
std::string CheckChatName(const std::string& name);

// $XDG_STATE_HOME/flashmoe, ~/.local/state/flashmoe, or nowhere.
std::string StateFolder();

}  // namespace flashmoe::cli
