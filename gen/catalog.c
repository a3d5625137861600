// SPDX-License-Identifier: Apache-2.0
// Word lists, names of services and operations. SQL is catalog_sql's, stacks are
// catalog_stack's.
#include "gen/catalog.h"

#include <stdio.h>
#include <string.h>

const struct hole_class hole_classes[] = {
	{MARK_NUMBER, 'i', true, 1000, 0},	    // ids: as many as the recipe says
	{MARK_NUMBER, 'q', true, 1, 24},	    // quantities, sizes of lists
	{MARK_NUMBER, 'p', true, 0, 8},		    // page numbers
	{MARK_NUMBER, 'a', true, 9, 1990},	    // amounts
	{MARK_NUMBER, 't', true, 1, 240},	    // milliseconds on the way
	{MARK_NUMBER, 'l', true, 180, 6000},	    // bytes of a document
	{MARK_WORD, 's', true, 0, 24},		    // states
	{MARK_WORD, 'u', false, 24, 64},	    // users
	{MARK_WORD, 'r', true, 88, 16},		    // regions
	{MARK_WORD, 'n', true, 104, CATALOG_NAMES}, // people, places, references
	{MARK_HEX, 0, false, 0, 0},		    // 64 random bits
};
const uint32_t hole_class_count = ARRAY_LEN(hole_classes);

uint32_t catalog_number_most(uint32_t cardinality)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < hole_class_count; i++) {
		const struct hole_class *c = &hole_classes[i];
		uint32_t last = c->low + hole_class_range(c, cardinality) - 1;

		if (c->mark == MARK_NUMBER && last > most)
			most = last;
	}
	return most;
}

// States, users, regions: hole_classes[] knows where each begins.
const char *const catalog_words[] = {
	"ACTIVE",     "PENDING",      "PAID",		"CREATED",     "SHIPPED",
	"CLOSED",     "CANCELLED",    "REFUNDED",	"APPROVED",    "DRAFT",
	"EXPIRED",    "LOCKED",	      "FAILED",		"REVIEW",      "QUEUED",
	"PARTIAL",    "ARCHIVED",     "REJECTED",	"SUSPENDED",   "DELIVERED",
	"RETURNED",   "RESERVED",     "SETTLED",	"UNKNOWN",     "anna.berg",
	"li.wei",     "j.miller",     "s.patel",	"m.garcia",    "y.tanaka",
	"o.petrov",   "c.dubois",     "f.rossi",	"h.kim",       "a.hassan",
	"p.silva",    "k.nowak",      "l.jensen",	"d.cohen",     "n.okafor",
	"e.larsen",   "r.singh",      "t.nguyen",	"b.schmidt",   "v.popescu",
	"g.martin",   "i.novak",      "w.zhang",	"u.weber",     "x.chen",
	"q.huang",    "z.kaya",	      "amir.khan",	"bela.toth",   "cara.jones",
	"dina.levi",  "emil.vogel",   "fay.brown",	"gus.olsen",   "hana.sato",
	"ivan.kos",   "jana.malik",   "kai.wong",	"lena.fuchs",  "mei.lin",
	"nils.holm",  "olga.ivanova", "paul.adams",	"quinn.reed",  "rosa.lopez",
	"sami.aalto", "tina.hall",    "udo.klein",	"vera.santos", "will.clark",
	"xenia.lang", "yara.costa",   "zoe.evans",	"aki.mori",    "ben.scott",
	"clara.diaz", "dan.hughes",   "eva.lind",	"finn.moore",  "greta.hoff",
	"hugo.blanc", "ines.pinto",   "jack.ward",	"eu-west-1",   "us-east-1",
	"ap-south-1", "eu-central-1", "us-west-2",	"ap-east-1",   "sa-east-1",
	"cn-north-1", "ca-central-1", "ap-southeast-2", "eu-north-1",  "me-south-1",
	"af-south-1", "us-east-2",    "ap-northeast-1", "eu-south-1",
};
const uint32_t catalog_word_count = ARRAY_LEN(catalog_words);

// Word `n` of a list of texts as parameters have them: every fourth a person, a mail address, a
// street, a reference.
void catalog_name(struct buf *out, uint32_t n)
{
	static const char *const first[] = {
		"Anna",	 "Bela",  "Cara",  "Dina",  "Emil",  "Fay",    "Gus",	 "Hana",
		"Ivan",	 "Jana",  "Kai",   "Lena",  "Mei",   "Nils",   "Olga",	 "Paul",
		"Quinn", "Rosa",  "Sami",  "Tina",  "Udo",   "Vera",   "Will",	 "Xenia",
		"Yara",	 "Zoe",	  "Aki",   "Ben",   "Clara", "Dan",    "Eva",	 "Finn",
		"Greta", "Hugo",  "Ines",  "Jack",  "Karl",  "Lucia",  "Marco",	 "Nora",
		"Oscar", "Petra", "Rahul", "Sofia", "Tomas", "Ursula", "Viktor", "Wanda",
	};
	static const char *const last[] = {
		"Berg",	  "Wei",   "Miller", "Patel",	"Garcia",  "Tanaka", "Petrov", "Dubois",
		"Rossi",  "Kim",   "Hassan", "Silva",	"Nowak",   "Jensen", "Cohen",  "Okafor",
		"Larsen", "Singh", "Nguyen", "Schmidt", "Popescu", "Martin", "Novak",  "Zhang",
		"Weber",  "Chen",  "Huang",  "Kaya",	"Khan",	   "Toth",   "Jones",  "Levi",
		"Vogel",  "Brown", "Olsen",  "Sato",	"Malik",   "Wong",   "Fuchs",  "Holm",
	};
	static const char *const street[] = {
		"Linden Road", "Harbour Street", "Mill Lane",	 "Station Square",
		"Oak Avenue",  "Church Hill",	 "River Walk",	 "Market Place",
		"North Gate",  "Castle Terrace", "Garden Close", "Bridge Row",
	};
	static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t bits = rng_mix(n);
	const char *a = first[(bits >> 8) % ARRAY_LEN(first)];
	const char *b = last[(bits >> 20) % ARRAY_LEN(last)];
	uint32_t kind = n % 4, k = n / 4;

	// The number makes them distinct.
	if (kind == 0) {
		buf_printf(out, "%s %c. %s %u", a, 'A' + (char)((bits >> 32) % 26), b, k);
	} else if (kind == 1) {
		buf_printf(out, "%s.%s%u@example.%s", a, b, k, bits >> 40 & 1 ? "com" : "org");
	} else if (kind == 2) {
		buf_printf(out, "%u %s", k + 1, street[(bits >> 32) % ARRAY_LEN(street)]);
	} else {
		buf_printf(out, "R%u-", k);
		for (uint32_t i = 0; i < 8; i++)
			buf_put_u8(out, (uint8_t)alphabet[bits >> (5 * i) & 31]);
	}
}

const struct entity catalog_entities[ENTITY_COUNT] = {
	{"order", "orders", "Order"},
	{"payment", "payments", "Payment"},
	{"invoice", "invoices", "Invoice"},
	{"cart", "carts", "Cart"},
	{"product", "products", "Product"},
	{"customer", "customers", "Customer"},
	{"account", "accounts", "Account"},
	{"shipment", "shipments", "Shipment"},
	{"inventory", "inventories", "Inventory"},
	{"coupon", "coupons", "Coupon"},
	{"refund", "refunds", "Refund"},
	{"address", "addresses", "Address"},
	{"catalog", "catalogs", "Catalog"},
	{"category", "categories", "Category"},
	{"review", "reviews", "Review"},
	{"wishlist", "wishlists", "Wishlist"},
	{"subscription", "subscriptions", "Subscription"},
	{"notification", "notifications", "Notification"},
	{"message", "messages", "Message"},
	{"ticket", "tickets", "Ticket"},
	{"session", "sessions", "Session"},
	{"device", "devices", "Device"},
	{"profile", "profiles", "Profile"},
	{"wallet", "wallets", "Wallet"},
	{"ledger", "ledgers", "Ledger"},
	{"transfer", "transfers", "Transfer"},
	{"settlement", "settlements", "Settlement"},
	{"merchant", "merchants", "Merchant"},
	{"store", "stores", "Store"},
	{"supplier", "suppliers", "Supplier"},
	{"warehouse", "warehouses", "Warehouse"},
	{"parcel", "parcels", "Parcel"},
	{"route", "routes", "Route"},
	{"driver", "drivers", "Driver"},
	{"vehicle", "vehicles", "Vehicle"},
	{"booking", "bookings", "Booking"},
	{"flight", "flights", "Flight"},
	{"hotel", "hotels", "Hotel"},
	{"room", "rooms", "Room"},
	{"seat", "seats", "Seat"},
	{"campaign", "campaigns", "Campaign"},
	{"banner", "banners", "Banner"},
	{"article", "articles", "Article"},
	{"comment", "comments", "Comment"},
	{"asset", "assets", "Asset"},
	{"document", "documents", "Document"},
	{"contract", "contracts", "Contract"},
	{"policy", "policies", "Policy"},
	{"claim", "claims", "Claim"},
	{"quote", "quotes", "Quote"},
	{"tax", "taxes", "Tax"},
	{"price", "prices", "Price"},
	{"discount", "discounts", "Discount"},
	{"bundle", "bundles", "Bundle"},
	{"stock", "stocks", "Stock"},
	{"batch", "batches", "Batch"},
	{"task", "tasks", "Task"},
	{"schedule", "schedules", "Schedule"},
	{"report", "reports", "Report"},
	{"metric", "metrics", "Metric"},
	{"alert", "alerts", "Alert"},
	{"member", "members", "Member"},
	{"loyalty", "loyalties", "Loyalty"},
	{"fraud", "frauds", "Fraud"},
};

// ---- Names ---------------------------------------------------------------------------------

// Entry `ordinal` of an endless list: every round of `size` entries is a shuffle of them all.
// Returns the entry; *round counts completed rounds.
static uint32_t shuffled(uint32_t ordinal, uint32_t size, uint64_t seed, enum rng_stream stream,
			 uint64_t index, uint32_t *round)
{
	struct rng_perm p;

	rng_perm_init(&p, size, seed, stream, index);
	*round = ordinal / size;
	return (uint32_t)rng_perm_at(&p, ordinal % size);
}

#define ROLES 8u

void catalog_service_name(struct buf *out, uint32_t layer, uint32_t rank, uint64_t seed)
{
	// A role belongs to one layer, so names of layers differ.
	static const char *const role[][ROLES] = {
		{"gateway", "bff", "edge", "portal", "web", "frontend", "mobile", "console"},
		{"api", "facade", "endpoint", "rest", "openapi", "service", "query", "command"},
		{"core", "manager", "engine", "flow", "planner", "processor", "domain",
		 "rules"},
		{"hub", "shared", "center", "registry", "resolver", "directory", "common",
		 "index"},
		{"adapter", "store", "sync", "worker", "connector", "repository", "archive",
		 "sink"},
	};
	uint32_t l = layer < ARRAY_LEN(role) ? layer : 0;
	uint32_t round;
	uint32_t v = shuffled(rank, ENTITY_COUNT * ROLES, seed, RNG_SERVICE, l, &round);

	buf_printf(out, "%s-%s", catalog_entities[v / ROLES].word, role[l][v % ROLES]);
	if (round > 0)
		buf_printf(out, "-%u", round + 1);
}

static const char *const parts[] = {
	"items",    "history",	"status",      "summary", "details",  "events",
	"audit",    "notes",	"attachments", "access",  "settings", "preferences",
	"stats",    "timeline", "approvals",   "links",	  "tags",     "contacts",
	"versions", "labels",	"limits",      "fees",	  "balances", "snapshots",
	"similar",  "search",	"export",      "import",  "validate", "cancel",
	"confirm",  "archive",	"restore",     "sync",	  "refresh",  "lock",
	"unlock",   "estimate", "preview",     "rules",
};

// Five plain shapes, then three with each part.
#define HTTP_SHAPES (5u + 3u * (uint32_t)ARRAY_LEN(parts))

static void http_name(struct op_text *o, uint32_t ordinal, uint64_t seed)
{
	static const char *const plain[] = {"GET", "GET", "POST", "PUT", "DELETE"};
	static const char *const with_part[] = {"GET", "POST", "GET"};
	uint32_t round;
	uint32_t v = shuffled(ordinal, HTTP_SHAPES * ENTITY_COUNT, seed, RNG_OPERATION, OP_HTTP,
			      &round);
	uint32_t shape = v % HTTP_SHAPES;
	bool has_part = shape >= ARRAY_LEN(plain);
	bool has_id = has_part ? (shape - 5) % 3 != 2 : shape != 0 && shape != 2;
	const char *part = has_part ? parts[(shape - 5) / 3] : "";
	const struct entity *e;
	char id[32] = "", number[8] = "";

	o->entity = v / HTTP_SHAPES;
	e = &catalog_entities[o->entity];
	if (has_id) {
		snprintf(id, sizeof(id), "/{%sId}", e->word);
		snprintf(number, sizeof(number), "/2%ci", MARK_NUMBER);
	}
	snprintf(o->verb, sizeof(o->verb), "%s",
		 has_part ? with_part[(shape - 5) % 3] : plain[shape]);
	snprintf(o->path, sizeof(o->path), "/api/v%u/%s%s%s%s", round + 1, e->plural, id,
		 has_part ? "/" : "", part);
	snprintf(o->url, sizeof(o->url), "/api/v%u/%s%s%s%s", round + 1, e->plural, number,
		 has_part ? "/" : "", part);
	snprintf(o->name, sizeof(o->name), "%s:%.140s", o->verb, o->path);
}

static const char *const verbs[] = {
	"create", "update", "delete", "find",	"list",	   "query",   "count",	  "get",
	"check",  "submit", "cancel", "verify", "resolve", "reserve", "release",  "assign",
	"merge",  "sync",   "audit",  "load",	"publish", "price",   "estimate", "batchGet",
};

static const char *const nouns[] = {
	"",	 "Status",  "Items",	"Summary", "Detail", "History",	 "Limits",  "Profile",
	"Quota", "Balance", "Settings", "Rules",   "Page",   "Snapshot", "Options", "Totals",
};

static void rpc_name(struct op_text *o, enum op_kind kind, uint32_t ordinal, uint64_t seed)
{
	uint32_t verb_count = ARRAY_LEN(verbs), noun_count = ARRAY_LEN(nouns), round;
	uint32_t v = shuffled(ordinal, ENTITY_COUNT * verb_count * noun_count, seed,
			      RNG_OPERATION, OP_DUBBO, &round);
	const char *verb = verbs[v / noun_count % verb_count];
	const char *noun = nouns[v % noun_count];
	const struct entity *e;
	char version[16] = "";
	char capital[16];

	o->entity = v / noun_count / verb_count;
	e = &catalog_entities[o->entity];
	snprintf(capital, sizeof(capital), "%s", verb);
	capital[0] = (char)(capital[0] - 'a' + 'A');
	if (kind == OP_GRPC) {
		snprintf(o->method, sizeof(o->method), "acme.%s.v%u.%sService.%s%s%s", e->word,
			 round + 1, e->class, capital, e->class, noun);
		snprintf(o->name, sizeof(o->name), "%.150s", o->method);
		return;
	}
	if (round > 0)
		snprintf(version, sizeof(version), ".v%u", round + 1);
	snprintf(o->method, sizeof(o->method), "com.acme.%s%s.%sService.%s%s%s", e->word,
		 version, e->class, verb, e->class, noun);
	snprintf(o->name, sizeof(o->name), "%.100s(%s%s%sRequest)", o->method, capital,
		 e->class, noun);
}

static void mq_name(struct op_text *o, enum op_kind kind, uint32_t ordinal, uint64_t seed)
{
	static const char *const event[] = {
		"created", "updated", "deleted", "events",   "paid",	  "shipped",
		"expired", "changed", "audit",	 "commands", "completed", "rejected",
	};
	static const char *const group[] = {
		"billing", "search", "report", "audit",	   "mail",    "cache",
		"ledger",  "stock",  "fraud",  "delivery", "archive", "loyalty",
	};
	uint32_t events = ARRAY_LEN(event), groups = ARRAY_LEN(group), round;
	uint32_t v = shuffled(ordinal, ENTITY_COUNT * events * groups, seed, RNG_OPERATION,
			      OP_KAFKA, &round);
	const char *g = group[v % groups], *ev = event[v / groups % events];
	char version[16] = "";
	const char *word;

	o->entity = v / groups / events;
	word = catalog_entities[o->entity].word;
	if (round > 0)
		snprintf(version, sizeof(version), "-v%u", round + 1);
	if (kind == OP_KAFKA) {
		snprintf(o->topic, sizeof(o->topic), "%s-%s%s", word, ev, version);
		snprintf(o->name, sizeof(o->name), "Kafka/%.60s/Consumer/%s-group", o->topic,
			 g);
		return;
	}
	// The consumer's name has no group, so the topic must differ.
	snprintf(o->topic, sizeof(o->topic), "%s_%s_%s%s", word, ev, g, version);
	snprintf(o->name, sizeof(o->name), "RocketMQ/%.80s/Consumer", o->topic);
}

enum op_names catalog_names_of(enum op_kind kind, enum language language)
{
	if (kind == OP_KAFKA || kind == OP_ROCKETMQ)
		return NAMES_MQ;
	return kind == OP_HTTP && language <= LANGUAGE_GO ? NAMES_HTTP : NAMES_RPC;
}

// These agents name an entry by the path as it came, so paths have no ids: the entity, then
// what is to be done.
static void plain_http_name(struct op_text *o, enum language language, uint32_t ordinal,
			    uint64_t seed)
{
	uint32_t noun_count = ARRAY_LEN(nouns), verb_count = ARRAY_LEN(verbs), round, v;
	const char *noun;

	v = shuffled(ordinal, ENTITY_COUNT * verb_count * noun_count, seed, RNG_OPERATION,
		     OP_DUBBO, &round);
	noun = nouns[v % noun_count];
	o->entity = v / noun_count / verb_count;
	snprintf(o->verb, sizeof(o->verb), "POST");
	snprintf(o->path, sizeof(o->path), "/api/v%u/%s/%s%s%s", round + 1,
		 catalog_entities[o->entity].plural, verbs[v / noun_count % verb_count],
		 noun[0] != 0 ? "-" : "", noun);
	for (char *c = o->path; *c != 0; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	snprintf(o->url, sizeof(o->url), "%.159s", o->path);
	snprintf(o->name, sizeof(o->name), "%s%.140s", language == LANGUAGE_NODE ? "POST:" : "",
		 o->path);
}

// /orders/{orderId} as a router of Go's names it: /orders/:orderId.
static void go_http_name(struct op_text *o)
{
	char *to = o->name;

	for (const char *from = o->name; *from != 0; from++) {
		if (*from != '}')
			*to++ = *from == '{' ? ':' : *from;
	}
	*to = 0;
}

// acme.order.v1.OrderService.CreateOrder as Python's agent has it.
static void python_grpc_name(struct op_text *o)
{
	char *dot;

	snprintf(o->name, sizeof(o->name), "/%.149s", o->method);
	dot = strrchr(o->name, '.');
	if (dot != NULL)
		*dot = '/';
}

static void http_operation(struct op_text *out, enum language language, uint32_t ordinal,
			   uint64_t seed)
{
	if (catalog_names_of(OP_HTTP, language) == NAMES_RPC) {
		plain_http_name(out, language, ordinal, seed);
		return;
	}
	http_name(out, ordinal, seed);
	if (language == LANGUAGE_GO)
		go_http_name(out);
}

void catalog_operation(struct op_text *out, enum op_kind kind, enum language language,
		       uint32_t ordinal, uint64_t seed)
{
	memset(out, 0, sizeof(*out));
	switch (kind) {
	case OP_HTTP:
		http_operation(out, language, ordinal, seed);
		break;
	case OP_DUBBO:
	case OP_GRPC:
		rpc_name(out, kind, ordinal, seed);
		if (language == LANGUAGE_PYTHON)
			python_grpc_name(out);
		break;
	case OP_KAFKA:
	case OP_ROCKETMQ:
		mq_name(out, kind, ordinal, seed);
		break;
	}
}

void catalog_method(struct buf *out, uint32_t entity, struct dice *d)
{
	static const char *const pattern[] = {
		"load%s",   "save%s",	  "validate%s",	 "apply%sRules",
		"enrich%s", "publish%s",  "convert%s",	 "authorize%s",
		"price%s",  "find%sById", "list%sItems", "lock%s",
	};
	const char *p = pattern[dice_below(d, ARRAY_LEN(pattern))];
	const char *hole = strstr(p, "%s");

	buf_put(out, p, (size_t)(hole - p));
	buf_put_view(out, view_of(catalog_entities[entity].class));
	buf_put_view(out, view_of(hole + 2));
}
