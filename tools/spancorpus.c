// SPDX-License-Identifier: Apache-2.0
// spancorpus: reads a corpus. This file chooses the verb; each verb has its own file.
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "tools/spancorpus.h"

static const struct verb verbs[] = {
	{"info", "DIR", "what the corpus is: digest, sizes, recipe", verb_info},
	{"verify", "DIR", "every digest and structure; --rows, --deep, --heal", verb_verify},
	{"stats", "DIR", "measures the corpus against the claims of its recipe", verb_stats},
	{"cat", "DIR", "rows as JSON lines", verb_cat},
	{"export", "--format FORMAT DIR",
	 "all rows to standard output: segments, csv, jsonl, otlp, otlp-json", verb_export},
	{"diff", "A B", "how two corpora differ: recipe, blocks, first row and field",
	 verb_diff},
	{"merge", "DIR", "makes corpus.json of the shards in a folder", verb_merge},
	{"split", "--blocks A-B --out DIR2 DIR", "copies a run of blocks", verb_split},
};

static void usage(FILE *out)
{
	fputs("Reads a corpus written by spangen.\n\n"
	      "  spancorpus info corpus\n"
	      "  spancorpus verify --rows corpus\n"
	      "  spancorpus cat --trace ID --decode corpus\n\n"
	      "Verbs (spancorpus VERB --help lists the options of one):\n",
	      out);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		fprintf(out, "  %-8s %-28s %s\n", verbs[i].name, verbs[i].args,
			verbs[i].summary);
	fputs("\nExit status: 0 good, 1 failed, damage found or different, 2 usage, 3 a claim "
	      "does not "
	      "hold.\n",
	      out);
}

int main(int argc, char **argv)
{
	const struct verb *verb = NULL;
	struct err e = {0};
	enum status s;

	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
		usage(stdout);
		s = stdout_finish(&e);
	} else if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		printf("spancorpus %s, format %u, content %u, zstd %s\n", SPANGEN_VERSION,
		       FORMAT_VERSION, CONTENT_VERSION, ZSTD_versionString());
		s = stdout_finish(&e);
	} else if (argc < 2) {
		s = err_set(&e, ERR_USAGE, "a verb is needed: spancorpus --help lists them");
	} else {
		for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
			if (strcmp(verbs[i].name, argv[1]) == 0)
				verb = &verbs[i];
		if (verb == NULL)
			s = err_set(&e, ERR_USAGE,
				    "unknown verb '%s': spancorpus --help lists them", argv[1]);
		else
			s = verb->run(verb, argc - 1, argv + 1, &e);
	}
	if (s != OK)
		fprintf(stderr, "spancorpus: %s\n", e.text);
	return status_exit_code(s);
}
