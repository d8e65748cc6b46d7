/* Fuzz target: the text of a zoo.cfg. What must hold:
 *   - it is taken whole, with everything a server needs, or refused with one line that names the
 *     file;
 *   - notes name a property and a line of the text;
 *   - reading it again says the same. */
#include <assert.h>
#include <string.h>

#include "app/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count_lines(struct slice text)
{
	unsigned lines = 1;

	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n' || text.data[i] == '\r';
	return lines;
}

static void check_good(const struct config *c, const struct config_report *report)
{
	assert(report->error[0] == '\0');
	assert(c->data_dir != NULL && c->data_dir[0] != '\0');
	assert(c->client_port != CONFIG_NO_PORT || c->secure_port != CONFIG_NO_PORT);
	assert(c->client_port <= 65535 && c->secure_port <= 65535 && c->monitor_port <= 65535);
	assert(c->tick_ms > 0 && c->max_session_ms > 0);
	assert(c->min_session_ms >= 0 && c->min_session_ms <= c->max_session_ms);
	assert((c->cert_file == NULL) == (c->key_file == NULL));
	assert(c->secure_port == CONFIG_NO_PORT || c->cert_file != NULL);
	assert(c->secure_port == CONFIG_NO_PORT || c->client_auth == TLS_CLIENT_AUTH_NONE ||
	       c->trust_file != NULL);
	assert(c->tls_1_2 || c->tls_1_3);
	assert(c->max_frame >= 1024 && c->gate_threads >= 1 && c->max_handshakes >= 1);
	assert(config_allows_word(c, "srvr"));
}

static void check_notes(const struct config_report *report, struct slice text)
{
	for (size_t i = 0; i < report->note_count; i++) {
		assert(report->notes[i].name[0] != '\0');
		assert(report->notes[i].line >= 1 && report->notes[i].line <= count_lines(text));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct config first, second;
	struct config_report said, again;
	int rc = config_parse(text, "fuzz", &first, &said);

	if (rc == 0)
		check_good(&first, &said);
	else
		assert(strncmp(said.error, "fuzz:", 5) == 0 && said.reason[0] != '\0');
	check_notes(&said, text);
	assert(config_parse(text, "fuzz", &second, &again) == rc);
	assert(strcmp(said.error, again.error) == 0 && said.note_count == again.note_count);
	config_fini(&first);
	config_fini(&second);
	config_report_fini(&said);
	config_report_fini(&again);
	return 0;
}
