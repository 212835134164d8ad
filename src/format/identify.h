// What a file is, told by its first bytes and never by its name.
#pragma once

#include <string>

#include "base/status.h"
#include "format/byte_source.h"
#include "format/model_file.h"

namespace flashmoe {

// The container of `source`, or an error that says what the file looks like instead and what to do.
Result<Container> Identify(const ByteSource& source);

}  // namespace flashmoe
