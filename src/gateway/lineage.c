/*
 * A text file of a few lines, so that people can read it:
 *
 *   weir lineage 1
 *   5b1f7a0c93d2e481 0          the first history
 *   9c41e0a2b7d35f68 1234       restored from a backup: commits up to 1234 are those of the line above
 *   - 2000                      a backup: whoever opens it begins a history behind 2000
 *
 * The backup only says that a history is to begin, and the id is drawn when the folder is opened: two folders that are restored from one backup are two histories.
 */
#include "gateway/lineage.h"

#include <string.h>

#define HEAD TEXT("weir lineage 1")

static struct text next_line(struct text *rest)
{
    ptrdiff_t end = text_find(*rest, '\n', 0);
    size_t len = end < 0 ? rest->len : (size_t)end;
    struct text line = text_make(rest->data, len);
    *rest = end < 0 ? TEXT_NONE : text_make(rest->data + len + 1, rest->len - len - 1);
    return line;
}

static bool is_id(struct text id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!((id.data[i] >= '0' && id.data[i] <= '9') || (id.data[i] >= 'a' && id.data[i] <= 'f')))
            return false;
    return id.len == LINEAGE_ID;
}

static int parse_line(struct text line, struct lineage *out)
{
    ptrdiff_t space = text_find(line, ' ', 0);
    uint64_t from;
    if (out->due || space < 0 || text_to_u64(text_make(line.data + space + 1, line.len - (size_t)space - 1), UINT64_MAX - 1, &from))
        return ERR_CORRUPT;
    struct text id = text_make(line.data, (size_t)space);
    if (text_is(id, "-")) {
        out->due = true;
        out->due_from = from;
        return 0;
    }
    if (!is_id(id) || out->count == LINEAGE_MAX)
        return ERR_CORRUPT;
    memcpy(out->line[out->count].id, id.data, LINEAGE_ID);
    out->line[out->count++].from = from;
    return 0;
}

int lineage_parse(struct text text, struct lineage *out)
{
    int code = 0;
    memset(out, 0, sizeof(*out));
    if (!text.len)
        return 0;
    if (!text_equal(next_line(&text), HEAD))
        return ERR_VERSION;
    while (text.len && !code)
        code = parse_line(next_line(&text), out);
    if (code)
        memset(out, 0, sizeof(*out));
    return code;
}

void lineage_format(const struct lineage *lineage, struct buf *out)
{
    buf_add_text(out, HEAD);
    buf_add_char(out, '\n');
    for (size_t i = 0; i < lineage->count; i++)
        buf_add_format(out, "%s %llu\n", lineage->line[i].id, (unsigned long long)lineage->line[i].from);
    if (lineage->due)
        buf_add_format(out, "- %llu\n", (unsigned long long)lineage->due_from);
}

/* The second one goes, and what the third shares with it, it shares with the first no longer than the second did. */
static void drop_one(struct lineage *lineage)
{
    lineage->line[2].from = lineage->line[1].from < lineage->line[2].from ? lineage->line[1].from : lineage->line[2].from;
    memmove(&lineage->line[1], &lineage->line[2], (LINEAGE_MAX - 2) * sizeof(lineage->line[0]));
    lineage->count--;
}

void lineage_begin(struct lineage *lineage, uint64_t from, const char id[LINEAGE_ID])
{
    if (lineage->count == LINEAGE_MAX)
        drop_one(lineage);
    memcpy(lineage->line[lineage->count].id, id, LINEAGE_ID);
    lineage->line[lineage->count].id[LINEAGE_ID] = 0;
    lineage->line[lineage->count++].from = from;
    lineage->due = false;
}

void lineage_forget(struct lineage *lineage)
{
    memset(lineage, 0, sizeof(*lineage));
    lineage_begin(lineage, 0, LINEAGE_UNNAMED);
    lineage->due = true;
}

const char *lineage_id(const struct lineage *lineage)
{
    return lineage->count ? lineage->line[lineage->count - 1].id : "";
}

bool lineage_reaches(const struct lineage *lineage, struct text id, uint64_t sequence)
{
    size_t at = 0;
    while (id.len && at < lineage->count && !text_is(id, lineage->line[at].id))
        at++;
    if (id.len && at == lineage->count)
        return lineage->count == 0; /* nobody told a history to anybody */
    while (++at < lineage->count)
        if (sequence > lineage->line[at].from)
            return false;
    return true;
}
