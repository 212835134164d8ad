// A client for tests: bytes as they are told, over a socket of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace flashmoe::http {

struct ClientResponse {
  int status = 0;                              // 0: there was none
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without the framing
  bool whole = false;                          // up to its end by its own framing
};

class TestClient {
 public:
  explicit TestClient(uint16_t port, int receive_buffer_bytes = 0)
      : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer_bytes > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ended_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0;
  }
  ~TestClient() { Close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  // False: the other side takes no more.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  // The next response; `head`: to a HEAD request.
  ClientResponse Receive(bool head = false, double seconds = 20) {
    const double until = NowSeconds() + seconds;
    ClientResponse response = ReceiveHead(until);
    if (response.status == 0 || head || response.status == 204 || response.status == 304 ||
        response.status == 100) {
      response.whole = response.status != 0;
    } else if (response.headers.contains("transfer-encoding")) {
      response.whole = ReceiveChunks(response.body, until);
    } else if (response.headers.contains("content-length")) {
      const size_t length = std::strtoull(response.headers["content-length"].c_str(), nullptr, 10);
      while (in_.size() < length && Fill(until)) {
      }
      response.whole = in_.size() >= length;
      response.body = Take(std::min(length, in_.size()));
    } else {
      while (Fill(until)) {
      }
      response.whole = ended_;
      response.body = Take(in_.size());
    }
    return response;
  }

  // Reads until the text is there; false: it does not come.
  bool Await(std::string_view text, double seconds = 20) {
    const double until = NowSeconds() + seconds;
    while (in_.find(text) == std::string::npos) {
      if (!Fill(until)) return false;
    }
    return true;
  }

  // Whether the other side closes within so many seconds, whatever it sends until then.
  bool AwaitClose(double seconds = 20) {
    const double until = NowSeconds() + seconds;
    while (Fill(until)) {
    }
    return ended_;
  }

  void CloseSending() { shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // So that the other side gets an error and no end of file.
  void Reset() {
    const linger at_once = {1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    Close();
  }

  const std::string& buffered() const { return in_; }

 private:
  // False: nothing more comes.
  bool Fill(double until) {
    pollfd waiting = {fd_, POLLIN, 0};
    const int ms = static_cast<int>(std::max(0.0, until - NowSeconds()) * 1000);
    if (ended_ || fd_ < 0 || poll(&waiting, 1, ms) <= 0) return false;
    char buffer[1 << 16];
    const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) ended_ = true;
    if (n > 0) in_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }

  std::string Take(size_t bytes) {
    std::string taken = in_.substr(0, bytes);
    in_.erase(0, bytes);
    return taken;
  }

  ClientResponse ReceiveHead(double until) {
    ClientResponse response;
    while (in_.find("\r\n\r\n") == std::string::npos) {
      if (!Fill(until)) return response;
    }
    const std::string head = Take(in_.find("\r\n\r\n") + 4);
    response.status = std::atoi(head.substr(head.find(' ') + 1, 3).c_str());
    for (size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
      const size_t end = head.find("\r\n", at);
      const size_t colon = head.find(": ", at);
      std::string name = head.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      response.headers[name] = head.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    return response;
  }

  bool ReceiveChunks(std::string& body, double until) {
    while (true) {
      while (in_.find("\r\n") == std::string::npos) {
        if (!Fill(until)) return false;
      }
      const std::string line = Take(in_.find("\r\n") + 2);
      const size_t length = std::strtoull(line.c_str(), nullptr, 16);
      while (in_.size() < length + 2) {
        if (!Fill(until)) return false;
      }
      body += Take(length);
      Take(2);
      if (length == 0) return true;
    }
  }

  int fd_ = -1;
  bool ended_ = false;
  std::string in_;
};

// "METHOD path HTTP/1.1" with a Host, and a Content-Length where there is a body.
inline std::string RequestText(std::string_view method, std::string_view path,
                               std::string_view body = {}, std::string_view headers = {}) {
  std::string text = std::string(method) + " " + std::string(path) + " HTTP/1.1\r\n";
  text += "Host: localhost\r\n" + std::string(headers);
  if (!body.empty() || method == "POST") {
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  return text + "\r\n" + std::string(body);
}

// One request on a connection of its own.
inline ClientResponse Ask(uint16_t port, std::string_view method, std::string_view path,
                          std::string_view body = {}, std::string_view headers = {}) {
  TestClient client(port);
  client.Send(
      RequestText(method, path, body, std::string("Connection: close\r\n") + std::string(headers)));
  return client.Receive(method == "HEAD");
}

}  // namespace flashmoe::http
