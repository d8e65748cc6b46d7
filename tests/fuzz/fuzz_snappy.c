/* Fuzz target: a raw block of Snappy. What must hold: nothing is read or written outside (the
 * output has just the length that the block claims), and a good block is none without its last
 * byte. */
#include <assert.h>
#include <stdlib.h>

#include "base/snappy.h"

enum { OUT_MOST = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice block = { (const char *)data, size };
	size_t len = 0;
	uint8_t *out;

	if (snappy_length(block, &len) != 0 || len > OUT_MOST)
		return 0;
	out = malloc(len > 0 ? len : 1);
	if (snappy_decode(block, out, len) == 0) {
		size_t shorter = 0;

		block.len--;
		assert(snappy_length(block, &shorter) != 0 || shorter != len ||
		       snappy_decode(block, out, len) != 0);
	}
	free(out);
	return 0;
}
