// SPDX-License-Identifier: Apache-2.0
// Unit tests of replay/schema and pbjson: the shipped files load, bad ones are refused with
// file and place, differences are found.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/common/unit.h"

#include "banyandb/database.pb-c.h"
#include "common/file.h"
#include "replay/pbjson.h"
#include "replay/schema.h"

static const char *shipped(void)
{
	static char dir[1024];
	const char *src = getenv("SRC");

	snprintf(dir, sizeof(dir), "%s/schemas", src ? src : ".");
	return dir;
}

static void test_shipped(void **state)
{
	struct schema_options o = {.dir = shipped()};
	struct schema s;
	struct err e = {0};

	(void)state;
	assert_int_equal(schema_load(&s, &model_stream, &o, &e), OK);
	assert_int_equal(s.count, 1 + 7 + 1 + 1);
	schema_free(&s);
	assert_int_equal(schema_load(&s, &model_trace, &o, &e), OK);
	assert_int_equal(s.count, 1 + 2 + 1 + 1);
	assert_string_equal(s.object[1].name, "startTime");
	schema_free(&s);
	o.ttl_days = 30;
	o.design_rule_names = true;
	assert_int_equal(schema_load(&s, &model_trace, &o, &e), OK);
	assert_string_equal(s.object[1].name, "time_based_index");
	assert_string_equal(s.object[2].name, "latency_based_index");
	assert_int_equal(((Banyandb__Common__V1__Group *)(void *)s.object[0].message)
				 ->resource_opts->ttl->num,
			 30);
	schema_free(&s);
}

// Copies the shipped files into the current folder, with one of them replaced or edited.
static void make_dir(const char *file, const char *from, const char *to)
{
	static const char *const names[] = {
		"group.json",
		"trace_schema.json",
		"trace_index_rules.json",
		"trace_index_rule_bindings.json",
		"stream_schema.json",
		"stream_index_rules.json",
		"stream_index_rule_bindings.json",
	};
	struct err e = {0};

	assert_int_equal(file_make_dir("edited", &e), OK);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *in = path_join(shipped(), names[i]), *out = path_join("edited", names[i]),
		     *at;
		struct buf text, changed;

		assert_int_equal(file_read_all(in, MIB, &text, &e), OK);
		buf_init(&changed, MIB);
		buf_put_u8(&text, 0);
		at = strcmp(names[i], file) == 0 && from ? strstr((char *)text.data, from)
							 : NULL;
		if (strcmp(names[i], file) == 0 && !from) {
			buf_printf(&changed, "%s", to);
		} else if (at) {
			buf_printf(&changed, "%.*s%s%s", (int)(at - (char *)text.data),
				   (char *)text.data, to, at + strlen(from));
		} else {
			assert_true(strcmp(names[i], file) !=
				    0); // the text to edit must be there
			buf_printf(&changed, "%s", (char *)text.data);
		}
		assert_int_equal(file_write_all(out, changed.data, changed.size, true, &e), OK);
		buf_free(&text);
		buf_free(&changed);
		free(in);
		free(out);
	}
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *file, *from, *to, *message[2];
		enum model_kind model;
	} cases[] = {
		{"trace_schema.json",
		 NULL,
		 "{\n  \"metadata\": {\n",
		 {"trace_schema.json", "line 3"},
		 MODEL_TRACE},
		{"trace_schema.json", NULL, "", {"trace_schema.json", "line 1"}, MODEL_TRACE},
		{"trace_schema.json",
		 "TAG_TYPE_TIMESTAMP",
		 "TAG_TYPE_INT",
		 {"tags[3].type", "TIMESTAMP"},
		 MODEL_TRACE},
		{"trace_schema.json",
		 "TAG_TYPE_INT",
		 "TAG_TYPE_FLOAT",
		 {"trace_schema.json: tags[4].type", "TagType"},
		 MODEL_TRACE},
		{"trace_schema.json",
		 "\"spanId\", \"type\"",
		 "\"id\", \"type\"",
		 {"tags[6].name", "spanId"},
		 MODEL_TRACE},
		{"trace_schema.json",
		 "span_id_tag_name",
		 "span_id",
		 {"trace_schema.json: span_id", "unknown key"},
		 MODEL_TRACE},
		{"trace_schema.json",
		 "segment_trace",
		 "other",
		 {"metadata.name", "segment_trace"},
		 MODEL_TRACE},
		{"trace_schema.json",
		 "{\n",
		 "{\n\"metadata\": {},\n",
		 {"trace_schema.json", "duplicate"},
		 MODEL_TRACE},
		{"stream_schema.json",
		 "\"TAG_TYPE_DATA_BINARY\"",
		 "5",
		 {"tag_families[1].tags[0].type", "TagType"},
		 MODEL_STREAM},
		{"stream_schema.json",
		 "TAG_TYPE_INT",
		 "TAG_TYPE_TIMESTAMP",
		 {"tag_families[0].tags[3].type", "INT"},
		 MODEL_STREAM},
		{"stream_schema.json",
		 "[\"serviceId\", ",
		 "[\"nobody\", ",
		 {"entity.tag_names[0]", "nobody"},
		 MODEL_STREAM},
		{"stream_index_rules.json",
		 "[\"latency\"]",
		 "[\"delay\"]",
		 {"latency_index", "delay"},
		 MODEL_STREAM},
		{"stream_index_rules.json",
		 "[\"latency\"]",
		 "\"latency\"",
		 {"stream_index_rules.json: entry 0: tags", "list"},
		 MODEL_STREAM},
		{"stream_index_rules.json",
		 NULL,
		 "[]",
		 {"stream_index_rules.json", "no index_rule"},
		 MODEL_STREAM},
		{"stream_index_rule_bindings.json",
		 "trace_id_index",
		 "no_rule",
		 {"rules[1]", "no_rule"},
		 MODEL_STREAM},
		{"stream_index_rule_bindings.json",
		 "2000-01-01T00:00:00Z",
		 "yesterday",
		 {"entry 0: begin_at", "time"},
		 MODEL_STREAM},
		{"group.json",
		 "\"shard_num\": 2",
		 "\"shard_num\": -2",
		 {"group.json: entry 0: resource_opts.shard_num", "range"},
		 MODEL_STREAM},
		{"group.json",
		 "\"shard_num\": 2",
		 "\"shard_num\": 0",
		 {"shard_num", "must be set"},
		 MODEL_STREAM},
		{"group.json",
		 "CATALOG_STREAM",
		 "CATALOG_MEASURE",
		 {"group.json", "metadata.name"},
		 MODEL_TRACE},
		{"group.json", NULL, "[]", {"group.json", "no group"}, MODEL_TRACE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct schema_options o = {.dir = "edited"};
		struct schema s;
		struct err e = {0};

		make_dir(cases[i].file, cases[i].from, cases[i].to);
		assert_int_equal(schema_load(&s, model_get(cases[i].model), &o, &e),
				 ERR_FORMAT);
		for (int k = 0; k < 2; k++) {
			if (!strstr(e.text, cases[i].message[k]))
				fail_msg("%s: no '%s' in: %s", cases[i].file,
					 cases[i].message[k], e.text);
		}
		assert_int_equal(s.count, 0);
	}
}

static void test_missing(void **state)
{
	struct schema_options o = {.dir = "nowhere"};
	struct schema s;
	struct err e = {0};

	(void)state;
	assert_int_equal(schema_load(&s, &model_trace, &o, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "nowhere/group.json"));
	assert_non_null(strstr(e.text, "--schemas"));
}

static ProtobufCMessage *group(const char *text)
{
	json_error_t why;
	json_t *json = json_loads(text, 0, &why);
	ProtobufCMessage *m = NULL;
	struct err e = {0};

	assert_non_null(json);
	assert_int_equal(pbjson_parse(json, &banyandb__common__v1__group__descriptor, &m, &e),
			 OK);
	json_decref(json);
	return m;
}

static void test_covers(void **state)
{
	static const char *const ignore[] = {"mod_revision", "updated_at", NULL};
	static const struct {
		const char *got, *difference;
	} cases[] = {
		{"{\"metadata\": {\"name\": \"g\", \"mod_revision\": 9}, \"resource_opts\": "
		 "{\"shard_num\": 2, \"default_stages\": [\"a\", "
		 "\"b\"]}, \"updated_at\": \"2026-01-01T00:00:00Z\", \"catalog\": "
		 "\"CATALOG_STREAM\"}",
		 NULL},
		{"{\"metadata\": {\"name\": \"g\"}}", "resource_opts is missing"},
		{"{\"metadata\": {\"name\": \"h\"}, \"resource_opts\": {\"shard_num\": 2}}",
		 "metadata.name is \"h\", not \"g\""},
		{"{\"metadata\": {\"name\": \"g\"}, \"resource_opts\": {\"shard_num\": 3, "
		 "\"default_stages\": [\"a\", \"b\"]}}",
		 "resource_opts.shard_num is 3, not 2"},
		{"{\"metadata\": {\"name\": \"g\"}, \"resource_opts\": {\"shard_num\": 2, "
		 "\"default_stages\": [\"a\"]}}",
		 "resource_opts.default_stages has 1 entries, not 2"},
		{"{\"metadata\": {\"name\": \"g\"}, \"resource_opts\": {\"shard_num\": 2, "
		 "\"default_stages\": [\"a\", \"c\"]}}",
		 "resource_opts.default_stages[1] is \"c\", not \"b\""},
	};
	ProtobufCMessage *want = group("{\"metadata\": {\"name\": \"g\", \"mod_revision\": 1}, "
				       "\"resource_opts\": {\"shard_num\": 2, "
				       "\"default_stages\": [\"a\", \"b\"]}}");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ProtobufCMessage *got = group(cases[i].got);
		char text[PBJSON_PATH] = "";

		assert_int_equal(pbjson_covers(want, got, ignore, text),
				 cases[i].difference == NULL);
		assert_string_equal(text, cases[i].difference ? cases[i].difference : "");
		protobuf_c_message_free_unpacked(got, NULL);
	}
	protobuf_c_message_free_unpacked(want, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
