// SPDX-License-Identifier: Apache-2.0
// The ledger's book-keeping.
#include "replay/ack.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// A row's word: 25 bits of size, 1 of root, 3 of state.
#define SIZE_MASK ((UINT32_C(1) << 25) - 1)
#define ROOT_BIT (UINT32_C(1) << 25)
#define STATE_SHIFT 26

enum row_state { ROW_NEW, ROW_SENT, ROW_ANSWERED, ROW_REFUSED };

static const struct {
	const char *name, *text;
} unsent_words[UNSENT_COUNT] = {{"none", "sent"},
#define X(id, name, text) {name, text},
				UNSENT_LIST(X)
#undef X
};

const char *unsent_name(enum unsent why)
{
	return unsent_words[why].name;
}

const char *unsent_text(enum unsent why)
{
	return unsent_words[why].text;
}

void ledger_unsent(struct ledger *l, enum unsent why, uint64_t rows)
{
	assert(why != UNSENT_NONE);
	l->unsent += rows;
	l->unsent_by[why] += rows;
}

void ledger_rejected(struct ledger *l, struct view status)
{
	size_t n = status.size < STATUS_NAME_SIZE - 1 ? status.size : STATUS_NAME_SIZE - 1;
	struct rejection *r = l->rejection;

	l->rejected++;
	while (r < l->rejection + STATUS_NAMES - 1 && r->rows > 0 &&
	       (strlen(r->status) != n || memcmp(r->status, status.data, n) != 0))
		r++;
	if (r->rows == 0) {
		if (r == l->rejection + STATUS_NAMES - 1) {
			memcpy(r->status, "other", sizeof("other"));
		} else if (n > 0) {
			memcpy(r->status, status.data, n);
			r->status[n] = '\0';
		}
	}
	r->rows++;
}

bool ledger_closes(const struct ledger *l)
{
	uint64_t unsent = 0;

	for (int i = 0; i < UNSENT_COUNT; i++)
		unsent += l->unsent_by[i];
	return unsent == l->unsent && l->acked + l->rejected + l->lost + l->unsent == l->rows;
}

void bulk_rows_init(struct bulk_rows *b, uint32_t capacity)
{
	*b = (struct bulk_rows){.row = mem_zalloc(capacity, sizeof(*b->row)),
				.capacity = capacity};
}

void bulk_rows_free(struct bulk_rows *b)
{
	free(b->row);
	*b = (struct bulk_rows){0};
}

void bulk_rows_begin(struct bulk_rows *b, uint64_t first, uint32_t count)
{
	assert(count <= b->capacity);
	memset(b->row, 0, count * sizeof(*b->row));
	b->first = first;
	b->count = count;
	b->awaited = b->answered = 0;
}

static enum row_state state_of(const struct bulk_rows *b, uint32_t index)
{
	return (enum row_state)(b->row[index] >> STATE_SHIFT);
}

static void set_state(struct bulk_rows *b, uint32_t index, enum row_state state)
{
	b->row[index] = (b->row[index] & (SIZE_MASK | ROOT_BIT)) | (uint32_t)state
									   << STATE_SHIFT;
}

void bulk_rows_refused(struct bulk_rows *b, uint32_t index, enum unsent why, struct ledger *l)
{
	assert(state_of(b, index) == ROW_NEW);
	set_state(b, index, ROW_REFUSED);
	ledger_unsent(l, why, 1);
}

bool bulk_rows_is_refused(const struct bulk_rows *b, uint32_t index)
{
	return state_of(b, index) == ROW_REFUSED;
}

void bulk_rows_sent(struct bulk_rows *b, uint32_t index, size_t size_bytes, bool root)
{
	assert(state_of(b, index) == ROW_NEW && size_bytes <= SIZE_MASK);
	b->row[index] = (uint32_t)size_bytes | (root ? ROOT_BIT : 0);
	set_state(b, index, ROW_SENT);
	b->awaited++;
}

void bulk_rows_answer(struct bulk_rows *b, uint64_t id, bool succeed, struct view status,
		      struct ledger *l)
{
	uint64_t index = id - 1 - b->first;

	if (id == 0 || index >= b->count || state_of(b, (uint32_t)index) != ROW_SENT) {
		l->surplus_acks++;
		return;
	}
	set_state(b, (uint32_t)index, ROW_ANSWERED);
	b->awaited--;
	b->answered++;
	if (!succeed) {
		ledger_rejected(l, status);
		return;
	}
	l->acked++;
	l->acked_bytes += b->row[index] & SIZE_MASK;
	l->acked_roots += (b->row[index] & ROOT_BIT) != 0;
}

void bulk_rows_end(struct bulk_rows *b, enum unsent why, enum unsent rest, struct ledger *l)
{
	for (uint32_t i = 0; i < b->count; i++) {
		enum row_state s = state_of(b, i);

		if (s == ROW_SENT && why == UNSENT_NONE)
			l->lost++;
		else if (s == ROW_SENT)
			ledger_unsent(l, why, 1);
		else if (s == ROW_NEW)
			ledger_unsent(l, rest, 1);
	}
	b->count = b->awaited = 0;
}

void bulk_rows_again(struct bulk_rows *b, struct ledger *l)
{
	assert(b->answered == 0);
	for (uint32_t i = 0; i < b->count; i++) {
		if (state_of(b, i) != ROW_SENT)
			continue;
		b->row[i] = 0;
		l->retried++;
	}
	b->awaited = 0;
}
