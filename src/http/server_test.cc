// The server over real sockets, with clients that behave and clients that do not.
#include "http/server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "http/test_client.h"

namespace flashmoe::http {
namespace {

using testing::HasSubstr;

// Exchanges that a handler has put aside, for the test to answer.
class Shelf {
 public:
  void Put(std::shared_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex_);
    exchanges_.push_back(std::move(exchange));
    changed_.notify_all();
  }
  std::shared_ptr<Exchange> Take() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !exchanges_.empty(); })) {
      return nullptr;
    }
    auto exchange = std::move(exchanges_.front());
    exchanges_.pop_front();
    return exchange;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Exchange>> exchanges_;
};

template <typename Condition>
bool Eventually(Condition&& condition, double seconds = 20) {
  const double until = NowSeconds() + seconds;
  while (!condition()) {
    if (NowSeconds() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

Response Text(std::string body) {
  Response response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

class ServerTest : public testing::Test {
 protected:
  void Start(ServerLimits limits = {}, AccessRules access = {}) {
    ServerOptions options;
    options.port = 0;
    options.limits = limits;
    options.access = std::move(access);
    options.render_refusal = [](const Request& request, const Refusal& refusal) {
      return Text(request.path + ": " + refusal.message);
    };
    options.on_request = [this](const RequestRecord& record) {
      const std::lock_guard lock(records_mutex_);
      records_.push_back(record);
    };
    std::vector<Route> routes = {
        {"GET", "/hello", [](auto e) { e->Send(Text("hello " + e->request().query)); }, false},
        {"POST", "/echo", [](auto e) { e->Send(Text(e->request().body)); }},
        {"POST", "/shelf", [this](auto e) { shelf_.Put(std::move(e)); }},
        {"GET", "/stream", [this](auto e) { shelf_.Put(std::move(e)); }},
        {"GET", "/models/*", [](auto e) { e->Send(Text(e->request().path.substr(8))); }},
        {"GET", "/drop", [](auto) {}},
        {"GET", "/throw", [](auto) { throw std::runtime_error("x"); }},
    };
    auto server = Server::Listen(std::move(options), std::move(routes));
    ASSERT_TRUE(server.has_value()) << server.error().ToString();
    server_ = std::move(*server);
  }
  uint16_t port() const { return server_->port(); }
  // A request for the test itself to answer.
  std::shared_ptr<Exchange> Shelve(TestClient& client) {
    client.Send(RequestText("POST", "/shelf"));
    return shelf_.Take();
  }

  Shelf shelf_;
  std::mutex records_mutex_;
  std::vector<RequestRecord> records_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  Start();
  TestClient client(port());
  for (int i = 0; i < 3; ++i) {
    client.Send(RequestText("GET", fmt::format("/hello?{}", i)));
    const ClientResponse r = client.Receive();
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.body, fmt::format("hello {}", i));
    EXPECT_EQ(r.headers.at("connection"), "keep-alive");
  }
  client.Send(RequestText("POST", "/echo", "body", "Connection: close\r\n"));
  EXPECT_EQ(client.Receive().body, "body");
  EXPECT_TRUE(client.AwaitClose());
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start();
  TestClient client(port());
  std::string text;
  for (int i = 0; i < 100; ++i) text += RequestText("POST", "/echo", fmt::format("number {}", i));
  ASSERT_TRUE(client.Send(text));
  client.CloseSending();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.Receive().body, fmt::format("number {}", i));
  EXPECT_TRUE(client.AwaitClose());
}

TEST_F(ServerTest, BytesOneByOne) {
  Start();
  TestClient client(port());
  for (const char c : RequestText("POST", "/echo", "slow")) {
    ASSERT_TRUE(client.Send({&c, 1}));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  EXPECT_EQ(client.Receive().body, "slow");
}

TEST_F(ServerTest, MethodsAndPaths) {
  Start();
  EXPECT_EQ(Ask(port(), "GET", "/models/a%2Fb").body, "a/b");
  EXPECT_EQ(Ask(port(), "GET", "/models/").status, 404);
  EXPECT_EQ(Ask(port(), "GET", "/nothing").status, 404);
  const ClientResponse wrong = Ask(port(), "DELETE", "/echo");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.at("allow"), "POST");
  EXPECT_EQ(Ask(port(), "BREW", "/echo").status, 405);
  const ClientResponse head = Ask(port(), "HEAD", "/hello?abc");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), "9");
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(Ask(port(), "OPTIONS", "/echo").status, 204);
  EXPECT_EQ(Ask(port(), "GET", "/drop").status, 500);
  EXPECT_EQ(Ask(port(), "GET", "/throw").status, 500);
  EXPECT_EQ(server_->stats().requests_by_status.at(404), 2);
}

TEST_F(ServerTest, NoHttpIsRefused) {
  Start();
  TestClient client(port());
  client.Send("\x16\x03\x01 this is TLS\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 400);
  EXPECT_TRUE(client.AwaitClose());
  TestClient no_host(port());
  no_host.Send("GET /hello HTTP/1.1\r\n\r\n");
  EXPECT_EQ(no_host.Receive().status, 400);
}

TEST_F(ServerTest, Http10GetsAStreamUpToTheClose) {
  Start();
  TestClient client(port());
  client.Send("POST /shelf HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
  const auto exchange = shelf_.Take();
  ASSERT_NE(exchange, nullptr);
  exchange->BeginStream(Text("one "));
  EXPECT_TRUE(exchange->Write("two"));
  exchange->End();
  const ClientResponse r = client.Receive();
  EXPECT_EQ(r.body, "one two");
  EXPECT_TRUE(r.whole);
}

TEST_F(ServerTest, LargeHeadersAndBodiesAreRefusedBeforeTheyAreRead) {
  Start({.body_bytes_max = 1 << 20});
  TestClient client(port());
  client.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 413);
  // Whoever sends it anyway can still read why.
  const std::string large(3 << 20, 'x');
  EXPECT_EQ(Ask(port(), "POST", "/echo", large).status, 413);
  EXPECT_EQ(Ask(port(), "GET", "/hello", "", "X: " + std::string(20'000, 'x') + "\r\n").status,
            431);
  EXPECT_EQ(Ask(port(), "POST", "/echo", large.substr(0, 1 << 20)).body.size(), 1u << 20);
}

TEST_F(ServerTest, AllBodiesTogetherHaveALimit) {
  Start({.body_bytes_max = 1000, .bodies_bytes_max = 2000});
  TestClient first(port()), second(port());
  const std::string half = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\nx";
  first.Send(half);
  second.Send(half);
  const std::string more(300, 'x');
  ASSERT_TRUE(Eventually([&] { return Ask(port(), "POST", "/echo", more).status == 503; }));
  EXPECT_EQ(Ask(port(), "POST", "/echo", "small").status, 200);
  first.Reset();
  EXPECT_TRUE(Eventually([&] { return Ask(port(), "POST", "/echo", more).status == 200; }));
  // A body that its handler has taken counts no longer.
  TestClient third(port());
  third.Send(RequestText("POST", "/shelf", std::string(900, 'x')));
  const auto exchange = shelf_.Take();
  EXPECT_EQ(Ask(port(), "POST", "/echo", more).status, 503);
  EXPECT_EQ(exchange->TakeBody().size(), 900u);
  EXPECT_TRUE(Eventually([&] { return Ask(port(), "POST", "/echo", more).status == 200; }));
}

TEST_F(ServerTest, ExpectContinueIsAnswered) {
  Start();
  TestClient client(port());
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: "
      "100-continue\r\n\r\n");
  ASSERT_TRUE(client.Await("100 Continue\r\n\r\n"));
  client.Receive();
  client.Send("abc");
  EXPECT_EQ(client.Receive().body, "abc");
}

TEST_F(ServerTest, ASlowLorisIsCutOffAndOthersAreServed) {
  Start({.idle_s = 2, .header_s = 1.5, .body_s = 1.5});
  TestClient idle(port()), header(port()), body(port());
  header.Send("GET /hel");
  body.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_EQ(Ask(port(), "GET", "/hello").status, 200);
  EXPECT_EQ(header.Receive().status, 408);
  EXPECT_EQ(body.Receive().status, 408);
  EXPECT_TRUE(header.AwaitClose());
  EXPECT_TRUE(idle.AwaitClose(5));
  EXPECT_EQ(idle.buffered(), "");
}

TEST_F(ServerTest, TooManyConnectionsAreToldSo) {
  Start({.connections_max = 3});
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(std::make_unique<TestClient>(port()));
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections == 3; }));
  TestClient fourth(port());
  const ClientResponse r = fourth.Receive();
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.headers.at("retry-after"), "5");
  clients.clear();
  EXPECT_TRUE(Eventually([&] { return Ask(port(), "GET", "/hello").status == 200; }));
}

TEST_F(ServerTest, StreamsComeAsTheyAreWritten) {
  Start();
  TestClient client(port());
  const auto exchange = Shelve(client);
  ASSERT_NE(exchange, nullptr);
  exchange->BeginStream(Text(""));
  for (const char* piece : {"first", "second"}) {
    EXPECT_TRUE(exchange->Write(piece));
    EXPECT_TRUE(client.Await(piece));
  }
  EXPECT_TRUE(exchange->Write(""));
  exchange->End();
  const ClientResponse r = client.Receive();
  EXPECT_EQ(r.body, "firstsecond");
  EXPECT_TRUE(r.whole);
  client.Send(RequestText("GET", "/hello"));
  EXPECT_EQ(client.Receive().status, 200);
}

TEST_F(ServerTest, TheHeadOfAStreamEnds) {
  Start();
  TestClient client(port());
  client.Send(RequestText("HEAD", "/stream") + RequestText("GET", "/hello?after"));
  const auto exchange = shelf_.Take();
  exchange->BeginStream(Text("not sent"));
  EXPECT_FALSE(exchange->Write("nor this"));
  exchange->End();
  EXPECT_EQ(client.Receive(true).headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(client.Receive().body, "hello after");
}

TEST_F(ServerTest, AStreamThatIsDroppedIsNotWhole) {
  Start();
  TestClient client(port());
  client.Send(RequestText("POST", "/shelf"));
  shelf_.Take()->BeginStream(Text("part"));
  const ClientResponse r = client.Receive();
  EXPECT_EQ(r.body, "part");
  EXPECT_FALSE(r.whole);
}

TEST_F(ServerTest, SilenceIsFilledWithHeartbeats) {
  Start({.heartbeat_s = 0.05});
  TestClient client(port());
  const auto exchange = Shelve(client);
  Response head = Text("");
  head.heartbeat = ":\n\n";
  exchange->BeginStream(std::move(head));
  EXPECT_TRUE(client.Await(":\n\n\r\n3\r\n:\n\n"));
  exchange->Write("text");
  exchange->End();
  const ClientResponse r = client.Receive();
  EXPECT_TRUE(r.whole);
  EXPECT_TRUE(r.body.ends_with(":\n\ntext")) << r.body;
}

TEST_F(ServerTest, AClientThatLeavesIsNoticedAtOnce) {
  Start();
  enum class Way { kClose, kReset, kCloseSending };
  for (const Way way : {Way::kClose, Way::kReset, Way::kCloseSending}) {
    TestClient client(port());
    // What was pipelined behind does not hide it.
    client.Send(RequestText("POST", "/shelf") + RequestText("GET", "/hello"));
    const auto exchange = shelf_.Take();
    ASSERT_NE(exchange, nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(exchange->cancelled()->IsSet());
    const double left = NowSeconds();
    if (way == Way::kClose) client.Close();
    if (way == Way::kReset) client.Reset();
    if (way == Way::kCloseSending) client.CloseSending();
    ASSERT_TRUE(Eventually([&] { return exchange->cancelled()->IsSet(); }, 5));
    EXPECT_LT(NowSeconds() - left, 1);
    exchange->BeginStream(Text("x"));
    EXPECT_FALSE(exchange->Write("y"));
    exchange->End();
  }
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections == 0; }));
  const std::lock_guard lock(records_mutex_);
  EXPECT_TRUE(records_.front().left);
}

TEST_F(ServerTest, AHalfSentBodyAndALeaveAreNoRequest) {
  Start();
  {
    TestClient client(port());
    client.Send("POST /shelf HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  }
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections == 0; }));
  EXPECT_EQ(server_->stats().requests_running, 0);
}

TEST_F(ServerTest, WhoReadsTooSlowlyIsDropped) {
  Start({.unsent_bytes_max = 1 << 20});
  TestClient client(port(), 4096);
  const auto exchange = Shelve(client);
  exchange->BeginStream(Text(""));
  const std::string piece(10'000, 'x');
  size_t written = 0;
  while (exchange->Write(piece) && written < (100 << 20)) written += piece.size();
  EXPECT_LT(written, size_t{8} << 20);
  EXPECT_TRUE(exchange->cancelled()->IsSet());
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections == 0; }, 10));
  EXPECT_EQ(Ask(port(), "GET", "/hello").status, 200);
}

// The socket's buffers are full and a send waits when the answer's limit is reached.
TEST_F(ServerTest, WhoReadsTooSlowlyIsNotWaitedFor) {
  Start({.unsent_bytes_max = 1 << 20});
  TestClient client(port(), 4096);
  const auto exchange = Shelve(client);
  exchange->BeginStream(Text(""));
  const std::string piece(10'000, 'x');
  do {
    ASSERT_TRUE(exchange->Write(piece));
  } while (Eventually([&] { return exchange->unsent_bytes() == 0; }, 0.3));
  while (exchange->Write(piece)) {
  }
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections == 0; }, 10));
}

TEST_F(ServerTest, WhoReadsNothingIsDroppedInTime) {
  Start({.unsent_bytes_max = 64 << 20, .send_s = 0.3});
  TestClient client(port(), 4096);
  const auto exchange = Shelve(client);
  exchange->Send(Text(std::string(16 << 20, 'x')));
  EXPECT_TRUE(Eventually([&] { return server_->stats().connections == 0; }, 10));
  EXPECT_TRUE(exchange->cancelled()->IsSet());
}

TEST_F(ServerTest, WhoReadsSlowlyButReadsGetsAll) {
  Start({.unsent_bytes_max = 64 << 20, .send_s = 5});
  TestClient client(port(), 4096);
  client.Send(RequestText("POST", "/shelf"));
  std::string body;
  for (int i = 0; i < 300'000; ++i) body += fmt::format("{},", i);
  const auto exchange = shelf_.Take();
  exchange->Send(Text(body));
  EXPECT_GT(exchange->unsent_bytes(), 0u);
  EXPECT_EQ(client.Receive().body, body);
  EXPECT_TRUE(Eventually([&] { return exchange->unsent_bytes() == 0; }));
}

TEST_F(ServerTest, KeysOpenAllButTheOpenRoutes) {
  Start({}, {.hosts = {}, .origins = {}, .keys = {"secret"}});
  EXPECT_EQ(Ask(port(), "GET", "/hello").status, 200);
  EXPECT_EQ(Ask(port(), "POST", "/echo", "x").status, 401);
  EXPECT_EQ(Ask(port(), "GET", "/nothing").status, 401) << "says nothing of what is there";
  EXPECT_EQ(Ask(port(), "POST", "/echo", "x", "x-api-key: secret\r\n").status, 200);
  EXPECT_EQ(Ask(port(), "POST", "/echo", "x", "Authorization: Bearer wrong\r\n").status, 401);
  // Before the body is there.
  TestClient client(port());
  client.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 401);
}

TEST_F(ServerTest, HostsAndOriginsAreChecked) {
  Start({}, {.hosts = {"localhost"}, .origins = {"https://app.example"}, .keys = {}});
  TestClient rebound(port());
  rebound.Send("GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(rebound.Receive().status, 421);
  EXPECT_EQ(Ask(port(), "GET", "/hello", "", "Origin: https://evil.example\r\n").status, 403);
  const ClientResponse page = Ask(port(), "GET", "/hello", "", "Origin: https://app.example\r\n");
  EXPECT_EQ(page.headers.at("access-control-allow-origin"), "https://app.example");
  const ClientResponse preflight =
      Ask(port(), "OPTIONS", "/echo", "",
          "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_THAT(preflight.headers.at("access-control-allow-methods"), HasSubstr("POST"));
}

TEST_F(ServerTest, StopLetsRunningRequestsEnd) {
  Start();
  TestClient client(port()), idle(port());
  const auto exchange = Shelve(client);
  exchange->BeginStream(Text("a"));
  const uint16_t at = port();
  std::thread stopper([&] { EXPECT_TRUE(server_->Stop(20)); });
  EXPECT_TRUE(idle.AwaitClose(5)) << "idle connections end at once";
  EXPECT_EQ(Ask(at, "GET", "/hello").status, 0) << "nobody listens any more";
  EXPECT_FALSE(exchange->cancelled()->IsSet());
  exchange->Write("b");
  exchange->End();
  const ClientResponse r = client.Receive();
  EXPECT_EQ(r.body, "ab");
  EXPECT_TRUE(r.whole);
  stopper.join();
}

TEST_F(ServerTest, StopCancelsWhatTakesTooLong) {
  Start();
  TestClient client(port());
  const auto exchange = Shelve(client);
  exchange->BeginStream(Text("a"));
  const double began = NowSeconds();
  std::thread ender([&] {
    EXPECT_TRUE(Eventually([&] { return exchange->cancelled()->IsSet(); }));
    exchange->Write("cancelled");
    exchange->End();
  });
  EXPECT_FALSE(server_->Stop(0.2));
  EXPECT_LT(NowSeconds() - began, 4);
  ender.join();
  EXPECT_EQ(client.Receive().body, "acancelled");
}

TEST_F(ServerTest, StopCutsOffWhatDoesNotEnd) {
  Start();
  TestClient client(port());
  client.Send(RequestText("POST", "/shelf"));
  auto exchange = shelf_.Take();
  exchange->BeginStream(Text("a"));
  EXPECT_FALSE(server_->Stop(0.05, 0.05));
  server_.reset();
  // The exchange may outlive the server.
  EXPECT_FALSE(exchange->Write("b"));
  exchange->End();
  exchange.reset();
  EXPECT_FALSE(client.Receive().whole);
}

TEST_F(ServerTest, APortInUseIsAnError) {
  Start();
  ServerOptions options;
  options.port = port();
  const auto second = Server::Listen(std::move(options), {});
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().ToString(), HasSubstr("--port"));
  ServerOptions nowhere;
  nowhere.host = "no.such.name.invalid";
  EXPECT_FALSE(Server::Listen(std::move(nowhere), {}).has_value());
}

TEST_F(ServerTest, ManyClientsAtOnce) {
  Start();
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      TestClient client(port());
      for (int i = 0; i < 200; ++i) {
        const std::string body = fmt::format("{} of {}", i, t);
        client.Send(RequestText("POST", "/echo", body));
        good += client.Receive().body == body;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 1600);
}

}  // namespace
}  // namespace flashmoe::http
