/*
 * The C API has no event listener, and without one nothing tells soundly what has reached the disk: a
 * property such as the number of unflushed memtables races with the switch to a new one. OnFlushCompleted is
 * called only for flushes whose result is committed to the manifest, and these commit in the order of the
 * memtables, so its largest sequence is a true low-water mark.
 */
#include "store/rocks_ext.h"

#include <cstring>
#include <memory>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>

/* The C binding wraps the options in exactly this. */
struct rocksdb_options_t {
    rocksdb::Options rep;
};
/* And the database in this. */
struct rocksdb_t {
    rocksdb::DB *rep;
};

namespace
{

class FlushListener final : public rocksdb::EventListener
{
  public:
    FlushListener(void (*on_flush)(void *, uint64_t), void *context) : on_flush_(on_flush), context_(context)
    {
    }
    void OnFlushCompleted(rocksdb::DB *, const rocksdb::FlushJobInfo &info) override
    {
        on_flush_(context_, info.largest_seqno);
    }

  private:
    void (*on_flush_)(void *, uint64_t);
    void *context_;
};

} // namespace

extern "C" void rocks_ext_on_flush(
    rocksdb_options_t *options, void (*on_flush)(void *, uint64_t), void *context)
{
    options->rep.listeners.push_back(std::make_shared<FlushListener>(on_flush, context));
}

extern "C" char *rocks_ext_verify(rocksdb_t *db)
{
    rocksdb::Status status = db->rep->VerifyChecksum();
    if (status.ok())
        return nullptr;
    std::string text = status.ToString(), folder = db->rep->GetName() + "/";
    for (size_t at; (at = text.find(folder)) != std::string::npos;)
        text.erase(at, folder.size()); /* the file's name is what matters, and must not fall behind a long path */
    return strdup(text.c_str());
}
