#include "app/fourlw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/fourlw_words.h"
#include "app/print.h"
#include "app/witness.h"
#include "base/metrics.h"

enum { WORD_LEN = 4, MASK_LEN = 8 };

struct word {
	const char name[WORD_LEN + 1];
	bool always;    /* answered before the registry serves */
	bool tells_all; /* names znodes, or who is connected */
	bool acts;      /* changes something */
	size_t argument_len;
	void (*answer)(const struct view *v, struct slice argument, struct buf *out);
};

static const struct word words[] = {
	{ "ruok", true, false, false, 0, fourlw_ruok },
	{ "isro", true, false, false, 0, fourlw_isro },
	{ "envi", true, false, false, 0, fourlw_envi },
	{ "gtmk", true, false, false, 0, fourlw_gtmk },
	{ "srvr", false, false, false, 0, fourlw_srvr },
	{ "stmk", true, false, true, MASK_LEN, fourlw_stmk },
	{ "stat", false, true, false, 0, fourlw_stat },
	{ "mntr", false, false, false, 0, fourlw_mntr },
	{ "conf", false, false, false, 0, fourlw_conf },
	{ "cons", false, true, false, 0, fourlw_cons },
	{ "crst", false, false, true, 0, fourlw_crst },
	{ "dirs", false, false, false, 0, fourlw_dirs },
	{ "dump", false, true, false, 0, fourlw_dump },
	{ "hash", false, false, false, 0, fourlw_hash },
	{ "srst", false, false, true, 0, fourlw_srst },
	{ "wchc", false, true, false, 0, fourlw_wchc },
	{ "wchp", false, true, false, 0, fourlw_wchp },
	{ "wchs", false, false, false, 0, fourlw_wchs },
};

static const struct word *find_word(const char *name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (memcmp(words[i].name, name, WORD_LEN) == 0)
			return &words[i];
	return NULL;
}

static void execute(const struct view *v, const struct word *word, struct slice bytes,
		    struct buf *out)
{
	struct slice argument = { bytes.data + WORD_LEN, word->argument_len };
	char op[WORD_LEN + sizeof(" 0x") + 2 * MASK_LEN];
	int len = snprintf(op, sizeof(op), "%s", word->name);

	word->answer(v, argument, out);
	if (!word->acts)
		return;
	if (argument.len > 0)
		snprintf(op + len, sizeof(op) - (size_t)len, " 0x%" PRIx64, *v->trace_mask);
	witness_command(v->audit, v->asks, op);
}

enum fourlw_result fourlw_answer(const struct view *v, struct slice bytes, struct buf *out)
{
	const struct word *word = find_word(bytes.data);

	if (!word)
		return FOURLW_UNKNOWN;
	if (!config_allows_word(v->config, word->name)) {
		print(out, "%s is not executed because it is not in the whitelist.\n", word->name);
		witness_refuse(v->audit, v->asks, word->name, "not in the whitelist");
		return FOURLW_ANSWERED;
	}
	if (word->tells_all && v->is_curtailed) {
		print(out, "%s is " VIEW_CURTAILED ".\n", word->name);
		metrics_add(METRIC_policy_refused, 1);
		witness_refuse(v->audit, v->asks, word->name, "no right by the policy: read all");
		return FOURLW_ANSWERED;
	}
	if (bytes.len < WORD_LEN + word->argument_len)
		return FOURLW_PARTIAL;
	if (!word->always && !v->registry)
		print(out, VIEW_NOT_SERVING "\n");
	else
		execute(v, word, bytes, out);
	if (print_too_large(out, word->name))
		print(out, PRINT_TOO_LARGE "\n");
	metrics_add(METRIC_words_answered, 1);
	return FOURLW_ANSWERED;
}
