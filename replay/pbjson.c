// SPDX-License-Identifier: Apache-2.0
// Walks messages by descriptor. Only the kinds of fields that schema objects have.
#include "replay/pbjson.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/opt.h"

#define TIMESTAMP_NAME "google.protobuf.Timestamp"

// A path grows on the way down and is cut on the way back.
struct path {
	char text[120];
	size_t size;
};

static size_t path_push(struct path *p, const char *name, size_t index)
{
	size_t old = p->size, room = sizeof(p->text) - old;
	int n = index == SIZE_MAX ? snprintf(p->text + old, room, "%s%s", old ? "." : "", name)
				  : snprintf(p->text + old, room, "[%zu]", index);

	p->size = (size_t)n < room ? old + (size_t)n : sizeof(p->text) - 1;
	return old;
}

static void path_cut(struct path *p, size_t size)
{
	p->size = size;
	p->text[size] = '\0';
}

static const char *path_text(const struct path *p)
{
	return p->size ? p->text : "top";
}

// Member of a message at an offset of its descriptor.
static void *member(ProtobufCMessage *m, unsigned offset)
{
	return (uint8_t *)(void *)m + offset;
}

static const void *member_const(const ProtobufCMessage *m, unsigned offset)
{
	return (const uint8_t *)(const void *)m + offset;
}

static size_t element_size(const ProtobufCFieldDescriptor *f)
{
	switch ((int)f->type) {
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
		return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		return 8;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	default:
		return 0;
	}
}

// ---- JSON to message
// --------------------------------------------------------------------------------------------------

static enum status parse_message(const json_t *json, const ProtobufCMessageDescriptor *type,
				 struct path *path, ProtobufCMessage **out, struct err *e);

static enum status parse_timestamp(const json_t *json, const ProtobufCMessageDescriptor *type,
				   struct path *path, ProtobufCMessage **out, struct err *e)
{
	int64_t ms;
	ProtobufCMessage *m;

	if (!json_is_string(json) || parse_epoch_ms(json_string_value(json), &ms, NULL) != OK)
		return err_set(e, ERR_FORMAT,
			       "%s: expected a time like \"2000-01-01T00:00:00Z\"",
			       path_text(path));
	m = mem_zalloc(1, type->sizeof_message);
	protobuf_c_message_init(type, m);
	for (unsigned i = 0; i < type->n_fields; i++) {
		if (type->fields[i].type == PROTOBUF_C_TYPE_INT64) {
			int64_t seconds = ms / MS_PER_S;

			memcpy(member(m, type->fields[i].offset), &seconds, sizeof(seconds));
		} else {
			int32_t nanos = (int32_t)(ms % MS_PER_S * NS_PER_MS);

			memcpy(member(m, type->fields[i].offset), &nanos, sizeof(nanos));
		}
	}
	*out = m;
	return OK;
}

static enum status parse_number(const json_t *json, const ProtobufCFieldDescriptor *f,
				const struct path *path, void *at, struct err *e)
{
	bool small = f->type == PROTOBUF_C_TYPE_INT32 || f->type == PROTOBUF_C_TYPE_UINT32;
	json_int_t v = json_integer_value(json);

	if (!json_is_integer(json))
		return err_set(e, ERR_FORMAT, "%s: expected a whole number", path_text(path));
	if ((small && (v > INT32_MAX || v < INT32_MIN)) ||
	    (v < 0 && (f->type == PROTOBUF_C_TYPE_UINT32 || f->type == PROTOBUF_C_TYPE_UINT64)))
		return err_set(e, ERR_FORMAT, "%s: %" JSON_INTEGER_FORMAT " is out of range",
			       path_text(path), v);
	if (small) {
		int32_t v32 = (int32_t)v;

		memcpy(at, &v32, sizeof(v32));
	} else {
		int64_t v64 = (int64_t)v;

		memcpy(at, &v64, sizeof(v64));
	}
	return OK;
}

static enum status parse_value(const json_t *json, const ProtobufCFieldDescriptor *f,
			       struct path *path, void *at, struct err *e)
{
	const ProtobufCEnumValue *ev;
	ProtobufCMessage *child = NULL;
	enum status s;
	char *text;
	int number;

	switch ((int)f->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (!json_is_string(json))
			return err_set(e, ERR_FORMAT, "%s: expected a text", path_text(path));
		text = mem_strdup(json_string_value(json));
		memcpy(at, &text, sizeof(text));
		return OK;
	case PROTOBUF_C_TYPE_BOOL:
		if (!json_is_boolean(json))
			return err_set(e, ERR_FORMAT, "%s: expected true or false",
				       path_text(path));
		number = json_is_true(json);
		memcpy(at, &number, sizeof(number));
		return OK;
	case PROTOBUF_C_TYPE_ENUM:
		ev = json_is_string(json) ? protobuf_c_enum_descriptor_get_value_by_name(
						    f->descriptor, json_string_value(json))
					  : NULL;
		if (!ev)
			return err_set(
				e, ERR_FORMAT, "%s: expected a name of enum %s",
				path_text(path),
				((const ProtobufCEnumDescriptor *)f->descriptor)->short_name);
		number = ev->value;
		memcpy(at, &number, sizeof(number));
		return OK;
	case PROTOBUF_C_TYPE_MESSAGE:
		s = parse_message(json, f->descriptor, path, &child, e);
		memcpy(at, &child, sizeof(child));
		return s;
	default:
		return parse_number(json, f, path, at, e);
	}
}

static enum status parse_repeated(const json_t *json, const ProtobufCFieldDescriptor *f,
				  struct path *path, ProtobufCMessage *m, struct err *e)
{
	size_t n = json_array_size(json), size = element_size(f);
	size_t *count = member(m, f->quantifier_offset);
	uint8_t *items;
	enum status s;

	if (!json_is_array(json))
		return err_set(e, ERR_FORMAT, "%s: expected a list", path_text(path));
	if (n == 0)
		return OK;
	items = mem_zalloc(n, size);
	memcpy(member(m, f->offset), &items, sizeof(items));
	for (size_t i = 0; i < n; i++) {
		size_t old = path_push(path, NULL, i);

		s = parse_value(json_array_get(json, i), f, path, items + i * size, e);
		if (s != OK)
			return s;
		path_cut(path, old);
		*count = i + 1;
	}
	return OK;
}

static enum status parse_fields(const json_t *json, ProtobufCMessage *m, struct path *path,
				struct err *e)
{
	const char *key;
	json_t *value, *object;
	enum status s;

	memcpy(&object, &json, sizeof(object)); // jansson iterates over non-const objects only
	json_object_foreach(object, key, value)
	{
		const ProtobufCFieldDescriptor *f =
			protobuf_c_message_descriptor_get_field_by_name(m->descriptor, key);
		size_t old = path_push(path, key, SIZE_MAX);

		if (!f || element_size(f) == 0)
			return err_set(e, ERR_FORMAT, "%s: unknown key of %s", path_text(path),
				       m->descriptor->short_name);
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			s = parse_repeated(value, f, path, m, e);
		else
			s = parse_value(value, f, path, member(m, f->offset), e);
		if (s != OK)
			return s;
		path_cut(path, old);
	}
	return OK;
}

static enum status parse_message(const json_t *json, const ProtobufCMessageDescriptor *type,
				 struct path *path, ProtobufCMessage **out, struct err *e)
{
	enum status s;

	*out = NULL;
	if (strcmp(type->name, TIMESTAMP_NAME) == 0)
		return parse_timestamp(json, type, path, out, e);
	if (!json_is_object(json))
		return err_set(e, ERR_FORMAT, "%s: expected an object (%s)", path_text(path),
			       type->short_name);
	*out = mem_zalloc(1, type->sizeof_message);
	protobuf_c_message_init(type, *out);
	s = parse_fields(json, *out, path, e);
	if (s != OK) {
		protobuf_c_message_free_unpacked(*out, NULL);
		*out = NULL;
	}
	return s;
}

enum status pbjson_parse(const json_t *json, const ProtobufCMessageDescriptor *type,
			 ProtobufCMessage **out, struct err *e)
{
	struct path path = {.size = 0};

	return parse_message(json, type, &path, out, e);
}

// ---- Comparing
// --------------------------------------------------------------------------------------------------------

static bool covers(const ProtobufCMessage *want, const ProtobufCMessage *got,
		   const char *const *ignore, struct path *path, char *text);

static void print_value(const ProtobufCFieldDescriptor *f, const void *at, char *out,
			size_t size_bytes)
{
	const ProtobufCEnumValue *ev;
	const char *text;
	int32_t v32;
	int64_t v64;

	if (f->type == PROTOBUF_C_TYPE_STRING) {
		memcpy(&text, at, sizeof(text));
		snprintf(out, size_bytes, "\"%s\"", text ? text : "");
	} else if (f->type == PROTOBUF_C_TYPE_ENUM) {
		memcpy(&v32, at, sizeof(v32));
		ev = protobuf_c_enum_descriptor_get_value(f->descriptor, v32);
		snprintf(out, size_bytes, "%s", ev ? ev->name : "?");
	} else if (element_size(f) == 8) {
		memcpy(&v64, at, sizeof(v64));
		snprintf(out, size_bytes, "%lld", (long long)v64);
	} else {
		memcpy(&v32, at, sizeof(v32));
		snprintf(out, size_bytes, "%d", v32);
	}
}

static bool value_equal(const ProtobufCFieldDescriptor *f, const void *want, const void *got,
			const char *const *ignore, struct path *path, char *text)
{
	char a[64], b[64];

	if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessage *w, *g;

		memcpy(&w, want, sizeof(w));
		memcpy(&g, got, sizeof(g));
		if (!g)
			snprintf(text, PBJSON_PATH, "%s is missing", path_text(path));
		return g && covers(w, g, ignore, path, text);
	}
	print_value(f, want, a, sizeof(a));
	print_value(f, got, b, sizeof(b));
	if (strcmp(a, b) == 0)
		return true;
	snprintf(text, PBJSON_PATH, "%s is %s, not %s", path_text(path), b, a);
	return false;
}

// Unset: zero, empty or absent, as proto3 has it.
static bool is_set(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	static const uint8_t zero[8];
	const void *at = member_const(m, f->offset);
	const char *text;

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t n;

		memcpy(&n, member_const(m, f->quantifier_offset), sizeof(n));
		return n > 0;
	}
	if (f->type == PROTOBUF_C_TYPE_STRING) {
		memcpy(&text, at, sizeof(text));
		return text && *text;
	}
	return element_size(f) > 0 && memcmp(at, zero, element_size(f)) != 0;
}

static bool list_equal(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *want,
		       const ProtobufCMessage *got, const char *const *ignore,
		       struct path *path, char *text)
{
	size_t n, m, size = element_size(f);
	const uint8_t *a, *b;

	memcpy(&n, member_const(want, f->quantifier_offset), sizeof(n));
	memcpy(&m, member_const(got, f->quantifier_offset), sizeof(m));
	memcpy(&a, member_const(want, f->offset), sizeof(a));
	memcpy(&b, member_const(got, f->offset), sizeof(b));
	if (n != m) {
		snprintf(text, PBJSON_PATH, "%s has %zu entries, not %zu", path_text(path), m,
			 n);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		size_t old = path_push(path, NULL, i);

		if (!value_equal(f, a + i * size, b + i * size, ignore, path, text))
			return false;
		path_cut(path, old);
	}
	return true;
}

static bool covers(const ProtobufCMessage *want, const ProtobufCMessage *got,
		   const char *const *ignore, struct path *path, char *text)
{
	for (unsigned i = 0; i < want->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &want->descriptor->fields[i];
		const char *const *skip = ignore;
		size_t old;
		bool equal;

		while (*skip && strcmp(*skip, f->name) != 0)
			skip++;
		if (*skip || !is_set(want, f))
			continue;
		old = path_push(path, f->name, SIZE_MAX);
		equal = f->label == PROTOBUF_C_LABEL_REPEATED
				? list_equal(f, want, got, ignore, path, text)
				: value_equal(f, member_const(want, f->offset),
					      member_const(got, f->offset), ignore, path, text);
		if (!equal)
			return false;
		path_cut(path, old);
	}
	return true;
}

bool pbjson_covers(const ProtobufCMessage *want, const ProtobufCMessage *got,
		   const char *const *ignore, char text[PBJSON_PATH])
{
	struct path path = {.size = 0};

	return covers(want, got, ignore, &path, text);
}
