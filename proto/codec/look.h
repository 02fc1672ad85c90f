/* Looks over the bytes of a message before protobuf-c takes memory for it. */
#ifndef TALLY_CODEC_LOOK_H
#define TALLY_CODEC_LOOK_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/bytes.h"

/* Whether the bytes have the form of protobuf fields, down through the messages that the schema
 * knows, and no text has a NUL in it (protobuf-c would cut it there unseen). */
bool look_over(const ProtobufCMessageDescriptor *descriptor, struct bytes bytes);

#endif
