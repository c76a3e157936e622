/*
 * The memtable: a skip list of keys, each with the list of its versions, and a hash table over them.
 *
 * Every read looks into the memtable first, and every write ends there. RocksDB's own is a skip list of versions, whose descents make some twenty comparisons of
 * 500 instructions each (virtual calls, and counters in thread-local variables), nearly all of them in cold memory: a fifth of what an UpdateItem took. RocksDB
 * lets its user bring another, and here is known what a general one must ask: keys are ordered by their bytes, there is one writer, sequences grow.
 *
 * What RocksDB stores is an entry: varint length, key, eight bytes (little-endian: sequence and kind, the tag), varint length, value. The order is: by key, then
 * by tag, the larger, that is the newer, first. Entries are never changed or taken out; all of it is dropped when it has been flushed.
 *
 * A node is a key: its links, lying before it in memory so that link 0 is next to it, the newest and the oldest version, and a copy of the key; all this lies
 * together, and not among values, so a descent touches few cache lines. An overwrite adds no node: it is found by hash and becomes the newest version. A
 * version is an entry that knows the older one, and another that lies far back (Myers, "An applicative random-access stack", 1983), so that a reader of an old
 * snapshot finds its version of a key that was written a hundred thousand times in some thirty steps. An iterator that has passed over
 * a key's newest version reaches the next key in one step, however many there are.
 *
 * Readers take no lock: nodes and versions are complete before the pointer to them is published with release, and pointers are read with acquire. New nodes are
 * linked from the lowest level upwards; a reader that misses a higher link only walks longer. The hash table is keyed (base/hash.h), since clients choose
 * keys, and has a fixed number of chains, made for the size of the memtable; chains grow at their heads.
 *
 * The writer remembers where its last node went, on all levels: a batch is sorted, and ascending keys often fall into one gap.
 *
 * Two things of the interface are not what they seem. RocksDB's default Get asks for an iterator, seeks, looks at entries while they are of the key, and never
 * deletes the iterator; a Get of our own cannot be written, because what it is given is a type that RocksDB does not publish. So that iterator is one per thread,
 * made anew at the same place each time, and knows the key's versions alone. And iterators are to be made in an Arena, which is not published
 * either: it is an Allocator, which MemTableRep knows how to ask.
 */
#include "store/rocks_memtable.h"

extern "C" {
#include "base/assert.h"
#include "base/hash.h"
}
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <rocksdb/memtablerep.h>
#include <rocksdb/options.h>
#include <rocksdb/utilities/object_registry.h>

/* The C binding wraps the options in exactly this. */
struct rocksdb_options_t {
    rocksdb::Options rep;
};

namespace
{

using rocksdb::Slice;

constexpr int LEVELS = 12, BRANCHING = 4;
constexpr size_t TAG = 8, SLAB = 4096;
constexpr size_t CHAIN_BYTES = 256, CHAINS_MIN = 64, CHAINS_MAX = 1u << 20; /* a chain for so many bytes of the memtable */
constexpr uint64_t SEQUENCE_ZERO = 0xff;                                   /* tags up to here are behind everything that was written */

/* ---- keys ---- */

struct Key {
    const unsigned char *data;
    size_t len;
    uint64_t tag; /* sequence and kind: the larger is the newer */
};

uint64_t load_le(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

uint64_t load_be(const unsigned char *at)
{
    return __builtin_bswap64(load_le(at));
}

Key key_of(const unsigned char *bytes, size_t len)
{
    return Key{bytes, len - TAG, load_le(bytes + len - TAG)};
}

Key key_of_entry(const char *entry)
{
    const unsigned char *at = reinterpret_cast<const unsigned char *>(entry);
    size_t len = *at & 0x7f;
    for (unsigned shift = 7; *at++ & 0x80; shift += 7)
        len |= static_cast<size_t>(*at & 0x7f) << shift;
    return key_of(at, len);
}

/* Eight bytes at a time; the last eight overlap what has been found equal. */
inline int compare_bytes(const unsigned char *a, const unsigned char *b, size_t n)
{
    if (n < 8) {
        for (size_t i = 0; i < n; i++)
            if (a[i] != b[i])
                return a[i] < b[i] ? -1 : 1;
        return 0;
    }
    for (size_t i = 0;; i = i + 16 <= n ? i + 8 : n - 8) {
        uint64_t x = load_be(a + i), y = load_be(b + i);
        if (x != y)
            return x < y ? -1 : 1;
        if (i + 8 == n)
            return 0;
    }
}

inline int compare(const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len)
{
    int order = compare_bytes(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* ---- versions ---- */

struct Back;

struct Version {
    Back *back; /* NULL: it is the oldest */

    char *entry()
    {
        return reinterpret_cast<char *>(this + 1);
    }
    uint64_t tag()
    {
        return key_of_entry(entry()).tag;
    }
    Version *older() const;
    Version *jump() const;
    uint32_t depth() const; /* versions behind it */
    /* The newest one not newer than the tag, from this one backwards; NULL when there is none. */
    Version *at_most(uint64_t wanted);
    /* The oldest one that is newer than the tag, from this one, which is newer, backwards. */
    Version *above(uint64_t than);
};

/* What only a version has that is not its key's first. */
struct Back {
    Version *older, *jump;
    uint32_t depth;

    /* For a version in front of `head`. */
    explicit Back(Version *head) : older(head), jump(head), depth(head->depth() + 1)
    {
        Version *far = head->jump();
        if (far && far->jump() && head->depth() - far->depth() == far->depth() - far->jump()->depth())
            jump = far->jump(); /* two jumps of the same length become one over both */
    }
};

inline Version *Version::older() const
{
    return back ? back->older : nullptr;
}
inline Version *Version::jump() const
{
    return back ? back->jump : nullptr;
}
inline uint32_t Version::depth() const
{
    return back ? back->depth : 0;
}
Version *Version::at_most(uint64_t wanted)
{
    if (tag() <= wanted)
        return this;
    return above(wanted)->older();
}
Version *Version::above(uint64_t than)
{
    Version *at = this;
    for (Version *older; (older = at->older()) && older->tag() > than;)
        at = at->jump()->tag() > than ? at->jump() : older;
    return at;
}

/* ---- keys ---- */

struct Node {
    std::atomic<Node *> link; /* level 0; those above lie before it */
    std::atomic<Version *> newest;
    Version *oldest;
    Node *chain;
    uint32_t hash, len; /* of the hash the low half */

    std::atomic<Node *> &at(int level)
    {
        char *self = reinterpret_cast<char *>(&link);
        return *reinterpret_cast<std::atomic<Node *> *>(self - static_cast<size_t>(level) * sizeof(link));
    }
    Node *next(int level)
    {
        return at(level).load(std::memory_order_acquire);
    }
    unsigned char *key()
    {
        return reinterpret_cast<unsigned char *>(this + 1);
    }
    bool is(const Key &key, uint64_t of)
    {
        return hash == static_cast<uint32_t>(of) && len == key.len && memcmp(this->key(), key.data, len) == 0;
    }
};

uint64_t hash_of(const Key &key)
{
    return hash_bytes(text{reinterpret_cast<const char *>(key.data), key.len});
}

/* ---- the list ---- */

class List final : public rocksdb::MemTableRep
{
  public:
    List(rocksdb::Allocator *allocator, size_t chains) : MemTableRep(allocator), chains_(chains)
    {
        chain_ = static_cast<std::atomic<Node *> *>(calloc(chains, sizeof(*chain_))); /* pages that are not touched cost nothing */
        ASSERT(chain_);
        head_ = make_node(Key{nullptr, 0, 0}, 0, LEVELS);
        for (int i = 0; i < LEVELS; i++)
            before_[i] = head_;
    }
    ~List() override
    {
        free(chain_);
    }

    rocksdb::KeyHandle Allocate(const size_t len, char **buf) override
    {
        Version *version = static_cast<Version *>(take(sizeof(Version) + len));
        *buf = version->entry();
        return version;
    }

    void Insert(rocksdb::KeyHandle handle) override
    {
        Version *version = static_cast<Version *>(handle);
        Key key = key_of_entry(version->entry());
        uint64_t hash = hash_of(key);
        version->back = nullptr;
        Node *node = find(key, hash);
        if (!node) {
            insert_node(key, hash, version);
            return;
        }
        Version *newest = node->newest.load(std::memory_order_relaxed);
        ASSERT(key.tag > newest->tag()); /* one writer, and sequences grow */
        version->back = new (take(sizeof(Back))) Back(newest);
        node->newest.store(version, std::memory_order_release);
    }

    bool Contains(const char *entry) const override
    {
        Key key = key_of_entry(entry);
        Node *node = find(key, hash_of(key));
        Version *version = node ? node->newest.load(std::memory_order_acquire)->at_most(key.tag) : nullptr;
        return version && version->tag() == key.tag;
    }

    size_t ApproximateMemoryUsage() override
    {
        return chains_ * sizeof(*chain_); /* the rest comes from the allocator, which counts */
    }

    Iterator *GetIterator(rocksdb::Arena *arena) override;
    Iterator *GetDynamicPrefixIterator(rocksdb::Arena *arena) override;

    Node *head() const
    {
        return head_;
    }
    Node *find(const Key &key, uint64_t hash) const
    {
        Node *node = chain_[hash & (chains_ - 1)].load(std::memory_order_acquire);
        while (node && !node->is(key, hash))
            node = node->chain;
        return node;
    }
    /* The last node before the key (the head when there is none); on the other levels in `before`, if it is given. */
    Node *descend(const unsigned char *key, size_t len, Node **before) const
    {
        Node *at = head_, *beyond = nullptr;
        for (int level = levels_.load(std::memory_order_relaxed) - 1; level >= 0; level--) {
            for (Node *next; (next = at->next(level)) && next != beyond;) {
                __builtin_prefetch(next->next(level));
                if (compare(next->key(), next->len, key, len) >= 0) {
                    beyond = next;
                    break;
                }
                at = next;
            }
            if (before)
                before[level] = at;
        }
        return at;
    }
    /* The head when the list is empty. */
    Node *last() const
    {
        Node *at = head_;
        for (int level = levels_.load(std::memory_order_relaxed) - 1; level >= 0; level--)
            while (Node *next = at->next(level))
                at = next;
        return at;
    }

  private:
    /* Aligned for what is laid there. */
    void *take(size_t size)
    {
        static_assert(alignof(Node) == 8 && alignof(Version) == 8 && sizeof(Node) % 8 == 0, "one alignment for all");
        char *raw;
        MemTableRep::Allocate(size + 7, &raw);
        return raw + (-reinterpret_cast<uintptr_t>(raw) & 7);
    }

    /* Nodes lie among nodes, and not among values. */
    char *take_from_slab(size_t size)
    {
        if (size > SLAB / 8)
            return static_cast<char *>(take(size));
        if (size > slab_left_) {
            slab_ = static_cast<char *>(take(SLAB));
            slab_left_ = SLAB;
        }
        char *place = slab_;
        slab_ += size;
        slab_left_ -= size;
        return place;
    }

    Node *make_node(const Key &key, uint64_t hash, int levels)
    {
        size_t above = static_cast<size_t>(levels - 1) * sizeof(std::atomic<Node *>);
        char *place = take_from_slab((above + sizeof(Node) + key.len + 7) & ~static_cast<size_t>(7));
        for (size_t at = 0; at < above; at += sizeof(std::atomic<Node *>))
            new (place + at) std::atomic<Node *>(nullptr);
        Node *node = new (place + above) Node{{nullptr}, {nullptr}, nullptr, nullptr, static_cast<uint32_t>(hash), static_cast<uint32_t>(key.len)};
        if (key.len)
            memcpy(node->key(), key.data, key.len);
        return node;
    }

    void insert_node(const Key &key, uint64_t hash, Version *version)
    {
        int levels = random_levels();
        Node *node = make_node(key, hash, levels);
        node->oldest = version;
        node->newest.store(version, std::memory_order_relaxed);
        if (levels > levels_.load(std::memory_order_relaxed))
            levels_.store(levels, std::memory_order_relaxed); /* the head's links above are NULL: a reader falls through them */
        if (!follows_last(key))
            descend(key.data, key.len, before_);
        for (int i = 0; i < levels; i++) {
            node->at(i).store(before_[i]->next(i), std::memory_order_relaxed);
            before_[i]->at(i).store(node, std::memory_order_release);
            before_[i] = node;
        }
        std::atomic<Node *> &chain = chain_[hash & (chains_ - 1)];
        node->chain = chain.load(std::memory_order_relaxed);
        chain.store(node, std::memory_order_release);
    }

    int random_levels()
    {
        int levels = 1;
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        for (uint64_t bits = random_; levels < LEVELS && bits % BRANCHING == 0; bits /= BRANCHING)
            levels++;
        return levels;
    }

    /* Does the key belong right behind the last new one? Then it does so on all levels, since nothing has been linked in between. */
    bool follows_last(const Key &key) const
    {
        Node *last = before_[0], *next = last->next(0);
        return (last == head_ || compare(last->key(), last->len, key.data, key.len) < 0) &&
               (!next || compare(key.data, key.len, next->key(), next->len) < 0);
    }

    Node *head_;
    std::atomic<int> levels_{1};
    Node *before_[LEVELS]; /* the writer's: on each level the last node that is not behind the one inserted last */
    uint64_t random_ = UINT64_C(0x9e3779b97f4a7c15);
    std::atomic<Node *> *chain_;
    size_t chains_; /* a power of two */
    char *slab_ = nullptr;
    size_t slab_left_ = 0;
};

/* ---- reading ---- */

Key target_of(const Slice &internal, const char *entry)
{
    return entry ? key_of_entry(entry) : key_of(reinterpret_cast<const unsigned char *>(internal.data()), internal.size());
}

class Cursor : public rocksdb::MemTableRep::Iterator
{
  public:
    explicit Cursor(const List *list) : list_(list)
    {
    }
    bool Valid() const final
    {
        return version_ != nullptr;
    }
    const char *key() const final
    {
        return version_->entry();
    }
    void Next() final
    {
        version_ = version_->older();
        if (!version_)
            begin(node_->next(0));
    }
    void Prev() final
    {
        uint64_t tag = version_->tag();
        Version *newest = node_->newest.load(std::memory_order_acquire);
        if (newest->tag() > tag)
            version_ = newest->above(tag);
        else
            end(list_->descend(node_->key(), node_->len, nullptr));
    }
    void Seek(const Slice &internal, const char *entry) final
    {
        seek(target_of(internal, entry));
    }
    void SeekForPrev(const Slice &internal, const char *entry) final
    {
        Key key = target_of(internal, entry);
        seek(key);
        if (version_ && version_->tag() == key.tag && compare(node_->key(), node_->len, key.data, key.len) == 0)
            return;
        if (version_)
            Prev();
        else
            end(list_->last());
    }
    void SeekToFirst() final
    {
        begin(list_->head()->next(0));
    }
    void SeekToLast() final
    {
        end(list_->last());
    }
    /* Where it lies belongs to an arena; a delete only ends it. */
    static void operator delete(void *)
    {
    }

  private:
    /* At the newest version of a key; NULL: behind the last. */
    void begin(Node *node)
    {
        node_ = node;
        version_ = nullptr;
        if (!node)
            return;
        version_ = node->newest.load(std::memory_order_acquire);
        __builtin_prefetch(node->next(0)); /* nearly every iterator goes on */
    }
    /* At the oldest version of a key; the head: before the first. */
    void end(Node *node)
    {
        node_ = node;
        version_ = node == list_->head() ? nullptr : node->oldest;
    }
    /* Behind all versions of a key that is there, as an iterator asks that has passed over some of them: no descent. */
    bool seek_behind(const Key &key)
    {
        Node *node = key.tag <= SEQUENCE_ZERO ? list_->find(key, hash_of(key)) : nullptr;
        if (!node || node->oldest->tag() <= key.tag)
            return false;
        begin(node->next(0));
        return true;
    }
    void seek(const Key &key)
    {
        if (seek_behind(key))
            return;
        begin(list_->descend(key.data, key.len, nullptr)->next(0));
        if (!version_ || compare(node_->key(), node_->len, key.data, key.len) != 0)
            return;
        version_ = node_->oldest->tag() > key.tag ? nullptr : version_->at_most(key.tag);
        if (!version_)
            begin(node_->next(0));
    }

    const List *list_;
    Node *node_ = nullptr;
    Version *version_ = nullptr;
};

/* For whoever has no arena. */
class HeapCursor final : public Cursor
{
  public:
    using Cursor::Cursor;
    static void operator delete(void *place)
    {
        ::operator delete(place);
    }
};

/* The versions of one key, for Get. */
class PointCursor final : public rocksdb::MemTableRep::Iterator
{
  public:
    explicit PointCursor(const List *list) : list_(list)
    {
    }
    bool Valid() const override
    {
        return version_ != nullptr;
    }
    const char *key() const override
    {
        return version_->entry();
    }
    void Next() override
    {
        version_ = version_->older();
    }
    void Seek(const Slice &internal, const char *entry) override
    {
        Key key = target_of(internal, entry);
        Node *node = list_->find(key, hash_of(key));
        version_ = node && node->oldest->tag() <= key.tag ? node->newest.load(std::memory_order_acquire)->at_most(key.tag) : nullptr;
    }
    /* Not of use to a Get. */
    void Prev() override
    {
        version_ = nullptr;
    }
    void SeekForPrev(const Slice &, const char *) override
    {
        version_ = nullptr;
    }
    void SeekToFirst() override
    {
        version_ = nullptr;
    }
    void SeekToLast() override
    {
        version_ = nullptr;
    }
    static void operator delete(void *)
    {
    }

  private:
    const List *list_;
    Version *version_ = nullptr;
};

/* Lends MemTableRep's way to an allocator's memory. */
class Lender final : public rocksdb::MemTableRep
{
  public:
    explicit Lender(rocksdb::Arena *arena) : MemTableRep(reinterpret_cast<rocksdb::Allocator *>(arena))
    {
    }
    void *take(size_t size)
    {
        char *raw;
        MemTableRep::Allocate(size + alignof(std::max_align_t) - 1, &raw);
        return raw + (-reinterpret_cast<uintptr_t>(raw) & (alignof(std::max_align_t) - 1));
    }
    void Insert(rocksdb::KeyHandle) override
    {
    }
    bool Contains(const char *) const override
    {
        return false;
    }
    size_t ApproximateMemoryUsage() override
    {
        return 0;
    }
    Iterator *GetIterator(rocksdb::Arena *) override
    {
        return nullptr;
    }
};

rocksdb::MemTableRep::Iterator *List::GetIterator(rocksdb::Arena *arena)
{
    if (!arena)
        return new HeapCursor(this);
    return new (Lender(arena).take(sizeof(Cursor))) Cursor(this);
}

/* Without an arena this is the default Get, which looks at a few entries and forgets the iterator. */
rocksdb::MemTableRep::Iterator *List::GetDynamicPrefixIterator(rocksdb::Arena *arena)
{
    alignas(PointCursor) static thread_local char place[sizeof(PointCursor)];
    if (arena)
        return GetIterator(arena);
    return new (place) PointCursor(this);
}

/* ---- making ---- */

constexpr char NAME[] = "weir-list";

class Factory final : public rocksdb::MemTableRepFactory
{
  public:
    explicit Factory(size_t memtable_bytes)
    {
        while (chains_ < CHAINS_MAX && chains_ * CHAIN_BYTES < memtable_bytes)
            chains_ *= 2;
    }
    using rocksdb::MemTableRepFactory::CreateMemTableRep;
    rocksdb::MemTableRep *CreateMemTableRep(const rocksdb::MemTableRep::KeyComparator &, rocksdb::Allocator *allocator, const rocksdb::SliceTransform *,
        rocksdb::Logger *) override
    {
        return new List(allocator, chains_);
    }
    const char *Name() const override
    {
        return NAME;
    }

  private:
    size_t chains_ = CHAINS_MIN;
};

/* RocksDB writes its options into a file and reads that again, to see whether it says the same. */
void register_name()
{
    static const auto &made = rocksdb::ObjectLibrary::Default()->AddFactory<rocksdb::MemTableRepFactory>(
        NAME, [](const std::string &, std::unique_ptr<rocksdb::MemTableRepFactory> *guard, std::string *) {
            guard->reset(new Factory(0));
            return guard->get();
        });
    (void)made;
}

} // namespace

extern "C" void rocks_memtable_use(rocksdb_options_t *options)
{
    register_name();
    options->rep.memtable_factory = std::make_shared<Factory>(options->rep.write_buffer_size);
}
