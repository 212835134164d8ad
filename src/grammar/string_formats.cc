// The values of `format`, as ajv-formats understands them, by regular expressions.
#include <string>

#include "grammar/string_text.h"

namespace flashmoe::grammar {
namespace {

// Days by the month, the 29th of February in leap years.
const std::string kDate =
    "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"
    "02-(0[1-9]|1[0-9]|2[0-8]))"
    "|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";
const std::string kTime =
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+\\-]([01][0-9]|2[0-3]):[0-5][0-9]"
    ")";
const std::string kByte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const std::string kIpv4 = kByte + "(\\." + kByte + "){3}";
const std::string kLabel = "[A-Za-z0-9]([A-Za-z0-9\\-]{0,30}[A-Za-z0-9])?";
const std::string kHostname = kLabel + "(\\." + kLabel + "){0,6}";
const std::string kAtom = "[A-Za-z0-9_+\\-]{1,32}";

std::string Ipv6() {
  const std::string group = "[0-9A-Fa-f]{1,4}";
  std::string pattern = "(" + group + ":){7}" + group + "|::";
  // "::" stands for at least one group: `before` of them precede it, at most 7 in all.
  for (int before = 0; before <= 7; ++before) {
    const std::string head = before == 0 ? ":" : "(" + group + ":){" + std::to_string(before) + "}";
    if (before > 0) pattern += "|" + head + ":";
    if (before == 7) continue;
    pattern += "|" + head + "(:" + group + "){1," + std::to_string(7 - before) + "}";
  }
  return pattern;
}

}  // namespace

std::optional<std::string> FormatPattern(std::string_view format) {
  if (format == "date") return kDate;
  if (format == "time") return kTime;
  if (format == "date-time") return "(" + kDate + ")T" + kTime;
  if (format == "duration") {
    const std::string time =
        "T([0-9]{1,9}H([0-9]{1,9}M([0-9]{1,9}S)?)?|[0-9]{1,9}M([0-9]{1,9}S)?|[0-9]{1,9}S)";
    return "P([0-9]{1,9}W|[0-9]{1,9}Y([0-9]{1,9}M([0-9]{1,9}D)?)?(" + time +
           ")?|[0-9]{1,9}M([0-9]{1,9}D)?(" + time + ")?|[0-9]{1,9}D(" + time + ")?|" + time + ")";
  }
  if (format == "email") return kAtom + "(\\." + kAtom + "){0,4}@" + kHostname + "\\." + kLabel;
  if (format == "hostname") return kHostname;
  if (format == "ipv4") return kIpv4;
  if (format == "ipv6") return Ipv6();
  if (format == "uuid") return "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
  if (format == "uri") {
    const std::string path = "([A-Za-z0-9\\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*";
    const std::string query = "([A-Za-z0-9\\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*";
    return "[A-Za-z][A-Za-z0-9+.\\-]{0,15}://" + kHostname + "(:[0-9]{1,5})?(/" + path + ")?(\\?" +
           query + ")?(#" + query + ")?";
  }
  return std::nullopt;
}

}  // namespace flashmoe::grammar
