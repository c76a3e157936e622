/* The catalogue of tables, the generator of calls, and the rules by which a call changes the model. */
#include "model.h"

#include <unistd.h>

uint64_t mix(uint64_t seed, uint64_t stream, uint64_t number)
{
    uint64_t x = seed + stream * UINT64_C(0x9E3779B97F4A7C15) + number * UINT64_C(0xD1B54A32D192ED03);
    for (int i = 0; i < 2; i++) {
        x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
        x ^= x >> 31;
    }
    return x;
}

uint64_t roll(struct dice *dice, uint64_t below)
{
    dice->stream += 0x10001;
    return mix(dice->seed, dice->stream, dice->number) % below;
}

/* ---- the catalogue ---- */

const char *table_name_of(enum table_name table)
{
    static const char *const names[TABLES] = {"hash-only", "hash-range", "binary-range", "silent", "volatile"};
    return names[table];
}

static const struct store_index_decl indexes[INDEXES] = {
    {.name = TEXT("ByTeam"), .key = {.part = {{TEXT("team"), ATTR_STRING}, {TEXT("score"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1}, .counted = true},
    {.name = TEXT("ByCity"), .key = {.part = {{TEXT("city"), ATTR_STRING}}, .hashes = 1}, .projection = STORE_PROJECT_KEYS},
    {.name = TEXT("ByPlace"),
        .key = {.part = {{TEXT("team"), ATTR_STRING}, {TEXT("city"), ATTR_STRING}, {TEXT("level"), ATTR_NUMBER}, {TEXT("score"), ATTR_NUMBER}}, .hashes = 2, .ranges = 2},
        .projection = STORE_PROJECT_INCLUDE,
        .include = {TEXT("filler"), TEXT("absent")},
        .includes = 2,
        .counted = true},
    {.name = TEXT("ByTag"), .key = {.part = {{TEXT("tag"), ATTR_BINARY}, {TEXT("score"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1}},
    {.name = TEXT("ByLate"), .key = {.part = {{TEXT("late"), ATTR_STRING}, {TEXT("level"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1}, .counted = true},
    {.name = TEXT("Local"), .key = {.part = {{TEXT(""), ATTR_STRING}, {TEXT("score"), ATTR_NUMBER}}, .hashes = 1, .ranges = 1}}, /* the table's hash key first */
    {.name = TEXT("ByMany"),
        .key = {.part = {{TEXT("level"), ATTR_NUMBER}, {TEXT("score"), ATTR_NUMBER}, {TEXT("team"), ATTR_STRING}, {TEXT("city"), ATTR_STRING}, {TEXT("tag"), ATTR_BINARY},
                    {TEXT("late"), ATTR_STRING}},
            .hashes = 3,
            .ranges = 3},
        .projection = STORE_PROJECT_KEYS,
        .counted = true},
};

void table_declare(enum table_name table, uint8_t wanted, bool ttl, struct store_table_decl *decl)
{
    static const struct store_table_decl bare[TABLES] = {
        [T_HASH] = {.hash = TEXT("id"), .hash_type = ATTR_STRING, .changes = true},
        [T_RANGE] = {.hash = TEXT("id"), .hash_type = ATTR_STRING, .range = TEXT("n"), .range_type = ATTR_NUMBER, .changes = true, .counted = true},
        [T_BINARY] = {.hash = TEXT("id"), .hash_type = ATTR_NUMBER, .range = TEXT("n"), .range_type = ATTR_BINARY, .changes = true},
        [T_SILENT] = {.hash = TEXT("id"), .hash_type = ATTR_BINARY},
        [T_VOLATILE] = {.hash = TEXT("id"), .hash_type = ATTR_STRING, .volatile_rows = true},
    };
    *decl = bare[table];
    decl->name = text_of(table_name_of(table));
    decl->ttl = ttl ? TEXT("due") : TEXT_NONE;
    for (unsigned i = 0; i < INDEXES; i++)
        if (wanted >> i & 1) {
            struct store_index_decl *index = &decl->index[decl->indexes++];
            *index = indexes[i];
            if (i == INDEX_LOCAL)
                index->key.part[0] = (struct store_key_part){decl->hash, decl->hash_type};
        }
}

/* ---- items ---- */

static const char *const hash_texts[HASHES] = {"a", "a\x01", "ab", "b", "\xc3\xa9", "zz"};

static void key_add(struct arena *arena, struct attr *item, enum table_name table, int at)
{
    int hash = at / RANGES, range = at % RANGES;
    bool alone = table != T_RANGE && table != T_BINARY;
    struct text name = alone ? arena_format(arena, "%s-%02d", hash_texts[hash], range) : text_of(hash_texts[hash]);
    if (table == T_BINARY)
        item_set_number(arena, item, TEXT("id"), arena_format(arena, "%d.%d", (hash - 3) * 50, hash));
    else
        item_set_string(arena, item, TEXT("id"), name)->type = table == T_SILENT ? ATTR_BINARY : ATTR_STRING;
    if (table == T_RANGE)
        item_set_i64(arena, item, TEXT("n"), (range - RANGES / 2) * 37);
    if (table == T_BINARY) {
        char *bytes = arena_zalloc(arena, 4);
        bytes[0] = (char)(range * 13); /* 0 and bytes above 127 too */
        bytes[1] = (char)(range % 3 ? 0 : 0xFF);
        item_set_string(arena, item, TEXT("n"), text_make(bytes, (size_t)1 + (size_t)range % 4))->type = ATTR_BINARY;
    }
}

struct attr *key_of_slot(struct arena *arena, enum table_name table, int at)
{
    struct attr *key = item_create(arena);
    key_add(arena, key, table, at);
    return key;
}

static void index_keys_add(struct arena *arena, struct attr *item, const struct slot *slot)
{
    static const char *const tags[] = {"\0", "\0\0", "\x01", "\xff\0\xff", "t"};
    static const size_t lens[] = {1, 2, 1, 3, 1};
    if (slot->team >= 0)
        item_set_string(arena, item, TEXT("team"), arena_format(arena, "team%d", slot->team));
    if (slot->city >= 0)
        item_set_string(arena, item, TEXT("city"), arena_format(arena, "%.*s", 1 + slot->city, "cities of the plain"));
    if (slot->level >= 0)
        item_set_i64(arena, item, TEXT("level"), (slot->level - 2) * 1000);
    if (slot->has_score > 0)
        item_set_number(arena, item, TEXT("score"), arena_format(arena, "%s%d.%d", slot->score < 0 ? "-" : "", abs(slot->score) / 2, slot->score % 2 ? 5 : 0));
    if (slot->tag >= 0)
        item_set_string(arena, item, TEXT("tag"), text_make(tags[slot->tag], lens[slot->tag]))->type = ATTR_BINARY;
    if (slot->late >= 0 && slot->late_is_number > 0)
        item_set_i64(arena, item, TEXT("late"), slot->late);
    else if (slot->late >= 0)
        item_set_string(arena, item, TEXT("late"), arena_format(arena, "late %d", slot->late));
}

struct attr *item_of_slot(struct arena *arena, enum table_name table, int at, const struct slot *slot)
{
    struct attr *item = key_of_slot(arena, table, at);
    char *filler = arena_alloc(arena, 300);
    size_t len = slot->payload % 97 == 0 ? 300 : slot->payload % 61;
    for (size_t i = 0; i < len; i++)
        filler[i] = (char)('a' + (slot->payload + i) % 26);
    index_keys_add(arena, item, slot);
    if (slot->due)
        item_set_i64(arena, item, TEXT("due"), slot->due);
    item_set_string(arena, item, TEXT("filler"), text_make(filler, len));
    struct attr *map = item_set_container(arena, item, TEXT("more"), ATTR_MAP);
    item_set_i64(arena, map, TEXT("payload"), slot->payload);
    item_set_bool(arena, map, TEXT("even"), slot->payload % 2 == 0);
    item_set_string(arena, item, TEXT("raw"), arena_copy(arena, text_make(slot, sizeof(*slot))))->type = ATTR_BINARY;
    return item;
}

bool slot_of_item(const struct attr *item, struct slot *slot)
{
    const struct attr *raw = item_get(item, TEXT("raw"));
    if (!raw || raw->type != ATTR_BINARY || raw->text.len != sizeof(*slot))
        return false;
    memcpy(slot, raw->text.data, sizeof(*slot));
    return true;
}

/* ---- the generator ---- */

static struct slot slot_make(struct dice *dice)
{
    struct slot slot;
    memset(&slot, 0, sizeof(slot)); /* it is compared as bytes */
    slot.present = 1;
    slot.team = (int8_t)((int)roll(dice, 5) - 1);
    slot.city = (int8_t)((int)roll(dice, 5) - 1);
    slot.level = (int8_t)((int)roll(dice, 6) - 1);
    slot.tag = (int8_t)((int)roll(dice, 6) - 1);
    slot.late = (int8_t)((int)roll(dice, 5) - 1);
    slot.late_is_number = slot.late >= 0 && roll(dice, 12) == 0;
    slot.has_score = roll(dice, 8) != 0;
    slot.score = slot.has_score ? (int16_t)((int)roll(dice, 40) - 15) : 0;
    slot.payload = (uint32_t)roll(dice, 1000);
    if (roll(dice, 4) == 0)
        slot.due = (int64_t)roll(dice, 90) - 4; /* some are due before they are written */
    return slot;
}

static void op_write(struct dice *dice, struct op *op)
{
    static const unsigned put_flags[] = {0, 0, 0, STORE_IF_ABSENT, STORE_IF_PRESENT};
    uint64_t kind = roll(dice, 10);
    *op = (struct op){.kind = kind < 6 ? OP_PUT : kind < 8 ? OP_UPDATE : OP_DELETE, .table = (enum table_name)roll(dice, TABLES), .at = (int)roll(dice, SLOTS)};
    if (roll(dice, 3) == 0)
        op->at = (int)roll(dice, 8); /* some keys are much in demand */
    op->value = slot_make(dice);
    if (op->kind == OP_PUT)
        op->flags = put_flags[roll(dice, 5)];
    else if (op->kind == OP_DELETE)
        op->flags = roll(dice, 3) ? 0 : STORE_IF_PRESENT;
}

static void op_define(struct dice *dice, struct op *op, struct step *step)
{
    static const enum op_kind kinds[] = {OP_INDEX, OP_INDEX, OP_INDEX, OP_TTL_ON, OP_DROP, OP_CREATE, OP_CREATE, OP_CREATE};
    *op = (struct op){.kind = kinds[roll(dice, 8)], .table = (enum table_name)roll(dice, TABLES), .index = (unsigned)roll(dice, INDEXES),
        .indexes = (uint8_t)roll(dice, 1u << INDEXES)};
    if (op->table == T_RANGE && op->kind >= OP_DROP && roll(dice, 16))
        op->kind = OP_INDEX; /* one table has a long past */
    if (op->kind == OP_CREATE && roll(dice, 3) == 0 && step->ops + 2 < OPS_MAX) { /* dropped and made again in one call */
        struct op drop = *op;
        drop.kind = OP_DROP;
        step->op[step->ops] = drop;
        step->op[step->ops + 1] = *op;
        step->ops++;
    }
}

void step_make(uint64_t seed, uint64_t number, struct step *step)
{
    struct dice dice = {seed, 1, number};
    uint64_t kind = roll(&dice, 1000);
    int wanted = kind < 650 ? 1 : 2 + (int)roll(&dice, 5);
    *step = (struct step){.number = number, .strict = kind < 900, .fails = roll(&dice, 40) == 0};
    step->defines = roll(&dice, 80) == 0;
    int undone = kind >= 900 ? (int)roll(&dice, 3) : 99, to = undone + 1 + (int)roll(&dice, 3);
    while (step->ops < wanted) {
        struct op *op = &step->op[step->ops];
        if (step->defines && step->ops == 0)
            op_define(&dice, op, step);
        else
            op_write(&dice, op);
        step->op[step->ops].undone = !step->defines && step->ops >= undone && step->ops < to;
        step->ops++;
    }
}

/* ---- the rules ---- */

bool model_visible(const struct table_model *table, const struct slot *slot, int64_t now_s)
{
    return slot->present && !(table->ttl && slot->due && slot->due <= now_s);
}

static bool fits_indexes(const struct table_model *table, const struct slot *slot)
{
    return !(slot->late >= 0 && slot->late_is_number && (table->indexes >> INDEX_LATE & 1 || table->indexes >> INDEX_MANY & 1));
}

static int apply_write(struct table_model *table, const struct op *op, int64_t now_s, struct outcome *outcome)
{
    struct slot *was = &table->slot[op->at], value = op->value;
    bool there = model_visible(table, was, now_s);
    if (value.due)
        value.due += now_s;
    if (op->kind == OP_UPDATE && there) { /* one attribute changes */
        uint32_t payload = value.payload;
        value = *was;
        value.payload = payload;
    }
    if (op->kind != OP_DELETE && !fits_indexes(table, &value))
        return ERR_TYPE;
    outcome->had = there;
    if (there)
        outcome->old = *was;
    if ((op->flags & STORE_IF_ABSENT) && there)
        return ERR_EXISTS;
    if ((op->flags & STORE_IF_PRESENT) && !there)
        return ERR_NOT_FOUND;
    if (op->kind == OP_DELETE && there)
        was->present = 0;
    else if (op->kind != OP_DELETE)
        *was = value;
    return 0;
}

static int apply_define(struct table_model *table, const struct op *op, int64_t now_s)
{
    uint32_t generation = table->generation;
    if (op->kind == OP_CREATE) {
        if (table->exists)
            return ERR_EXISTS;
        *table = (struct table_model){.exists = true, .ttl = op->table != T_SILENT && op->table != T_BINARY, .indexes = op->indexes,
            .generation = generation + 1, .recovery_ms = op->table < T_SILENT ? INT64_MIN : INT64_MAX};
    } else if (op->kind == OP_DROP) {
        *table = (struct table_model){.generation = generation};
    } else if (op->kind == OP_TTL_ON) {
        table->ttl_ms = table->ttl ? table->ttl_ms : (now_s + 1) * 1000; /* not before it, at most a second too late */
        table->ttl = true;
    } else {
        table->indexes ^= (uint8_t)(1u << op->index);
    }
    return 0;
}

static int apply_op(struct model *model, const struct op *op, int64_t now_s, struct outcome *outcome)
{
    struct table_model *table = &model->table[op->table];
    memset(outcome, 0, sizeof(*outcome));
    if (!table->exists && op->kind != OP_CREATE)
        return outcome->code = ERR_NOT_FOUND;
    return outcome->code = op->kind <= OP_DELETE ? apply_write(table, op, now_s, outcome) : apply_define(table, op, now_s);
}

int model_apply(struct model *model, const struct step *step, int64_t now_s, struct outcome outcome[OPS_MAX])
{
    static struct model before, inside;
    bool within = false;
    int code = 0;
    if (step->fails || step->ops > 1)
        before = *model;
    for (int i = 0; i < step->ops; i++) {
        if (step->op[i].undone && !within)
            inside = *model;
        if (!step->op[i].undone && within)
            *model = inside;
        within = step->op[i].undone;
        int one = apply_op(model, &step->op[i], now_s, &outcome[i]);
        if (one && step->strict) {
            code = one;
            break;
        }
    }
    if (within && !code)
        *model = inside;
    if (!code && step->fails)
        code = ERR_CONDITION;
    if (code && step->ops > 1)
        *model = before;
    else if (code && step->fails)
        *model = before;
    return code;
}

void model_reopened(struct model *model)
{
    memset(model->table[T_VOLATILE].slot, 0, sizeof(model->table[T_VOLATILE].slot));
}

void model_init(struct model *model, uint64_t seed)
{
    struct dice dice = {seed, 2, 0};
    memset(model, 0, sizeof(*model));
    for (int t = 0; t < TABLES; t++) {
        struct op op = {.kind = OP_CREATE, .table = (enum table_name)t, .indexes = (uint8_t)roll(&dice, 1u << INDEXES)};
        apply_define(&model->table[t], &op, 0);
    }
}
