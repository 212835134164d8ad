#include "serve/endpoints.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <chrono>

#include "serve/answer_flow.h"
#include "serve/text_endpoints.h"
#include "web_page/web_page.h"

namespace flashmoe {
namespace {

using ContextPtr = std::shared_ptr<const ServeContext>;
using ExchangePtr = std::shared_ptr<http::Exchange>;
using ParseFn = Result<ApiRequest> (*)(std::string_view);

// 24 letters and digits that nobody can guess.
std::string FreshId() {
  static constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
  std::array<unsigned char, 24> bytes;
  while (getrandom(bytes.data(), bytes.size(), 0) != std::ssize(bytes)) {
  }
  std::string id;
  for (const unsigned char byte : bytes) id += kDigits[byte % kDigits.size()];
  return id;
}

int64_t UnixSeconds() {
  using std::chrono::system_clock;
  return std::chrono::duration_cast<std::chrono::seconds>(system_clock::now().time_since_epoch())
      .count();
}

void AnswerRequest(const ServeContext& context, ExchangePtr exchange, ParseFn parse) {
  const ApiStyle style = StyleOfPath(exchange->request().path);
  Result<ApiRequest> request = parse(exchange->TakeBody());
  if (!request.has_value()) return SendError(*exchange, style, request.error());
  Result<PreparedRequest> prepared = context.model.Prepare(*request);
  if (!prepared.has_value()) return SendError(*exchange, style, prepared.error());

  AnswerFlow::Parts parts;
  parts.id = FreshId();
  parts.writer = request->make_writer({parts.id, UnixSeconds(), context.model.card().id});
  parts.style = style;
  parts.stream = request->stream;
  parts.exchange = std::move(exchange);
  const auto flow =
      std::make_shared<AnswerFlow>(context.model.text(), std::move(parts), std::move(*prepared));
  const Result<uint64_t> taken = context.backend.submit(flow->MakeJob());
  if (!taken.has_value()) return flow->Refuse(taken.error());
  flow->Begin();
}

void CountTokens(const ServeContext& context, const ExchangePtr& exchange) {
  const Result<ChatRequest> request = ParseAnthropicTokenCount(exchange->TakeBody());
  if (!request.has_value()) return SendError(*exchange, ApiStyle::kAnthropic, request.error());
  const Result<int64_t> count = context.model.CountTokens(*request);
  if (!count.has_value()) return SendError(*exchange, ApiStyle::kAnthropic, count.error());
  http::Response response;
  response.body = AnthropicTokenCount(*count);
  exchange->Send(std::move(response));
}

void SendBody(http::Exchange& exchange, std::string body,
              std::string content_type = "application/json") {
  http::Response response;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  exchange.Send(std::move(response));
}

void ShowModel(const ServeContext& context, const ExchangePtr& exchange) {
  constexpr std::string_view kStem = "/v1/models/";
  const std::string id = exchange->request().path.substr(kStem.size());
  const ModelCard& card = context.model.card();
  if (id == card.id) return SendBody(*exchange, ModelBody(card));
  SendError(*exchange, ApiStyle::kOpenAi,
            {ErrorCode::kNotFound,
             fmt::format("there is no model '{}'", id),
             {},
             fmt::format("this server has '{}'", card.id)});
}

void ShowPage(const ExchangePtr& exchange) {
  http::Response response;
  response.content_type = "text/html; charset=utf-8";
  response.headers = {{"Content-Encoding", "gzip"},
                      {"Content-Security-Policy", ChatPageSecurityPolicy()},
                      {"ETag", ChatPageTag()},
                      {"Cache-Control", "no-cache"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"}};
  if (exchange->request().header("If-None-Match") == ChatPageTag()) {
    response.status = 304;
  } else {
    response.body = ChatPageGzip();
  }
  exchange->Send(std::move(response));
}

http::Route Api(const ContextPtr& context, std::string path, ParseFn parse) {
  return {"POST", std::move(path), [context, parse](ExchangePtr exchange) {
            AnswerRequest(*context, std::move(exchange), parse);
          }};
}

}  // namespace

std::vector<http::Route> MakeRoutes(const ContextPtr& c) {
  return {
      // Holds no secret, and asks for the key itself.
      {"GET", "/", [](ExchangePtr e) { ShowPage(e); }, false},
      Api(c, "/v1/chat/completions", ParseOpenAiChat),
      Api(c, "/v1/completions", ParseOpenAiCompletion),
      Api(c, "/v1/responses", ParseOpenAiResponse),
      Api(c, "/v1/messages", ParseAnthropicMessage),
      {"POST", "/v1/messages/count_tokens", [c](ExchangePtr e) { CountTokens(*c, e); }},
      {"GET", "/v1/models",
       [c](ExchangePtr e) {
         SendBody(*e, ModelsBody({&c->model.card(), 1}));
       }},
      {"GET", "/v1/models/*", [c](ExchangePtr e) { ShowModel(*c, e); }},
      {"GET", "/health", [](ExchangePtr e) { SendBody(*e, R"({"status":"ok"})"); }, false},
      {"GET", "/metrics",
       [c](ExchangePtr e) { SendBody(*e, c->metrics(), "text/plain; version=0.0.4"); }},
      {"POST", "/tokenize", [c](ExchangePtr e) { Tokenize(c->model.text(), *e); }},
      {"POST", "/detokenize", [c](ExchangePtr e) { Detokenize(c->model.text(), *e); }},
  };
}

ApiStyle StyleOfPath(std::string_view path) {
  const bool messages = path == "/v1/messages" || path.starts_with("/v1/messages/");
  return messages ? ApiStyle::kAnthropic : ApiStyle::kOpenAi;
}

http::Response RenderRefusal(const http::Request& request, const http::Refusal& refusal) {
  Error error;
  error.code = refusal.status >= 500 ? ErrorCode::kInternal : ErrorCode::kInvalidInput;
  error.what = refusal.message;
  http::Response response;
  response.body = ErrorBody(StyleOfPath(request.path), refusal.status, error);
  return response;
}

}  // namespace flashmoe
