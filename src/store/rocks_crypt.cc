/*
 * The tables' files on disk, encrypted. RocksDB has the file system for it (NewEncryptedFS) and wants a provider: what stands in front of each file, and the
 * stream that belongs to it. The one that comes with it encrypts block by block through a virtual call; and Debian's 7.8 takes the option string
 * `env={id=EncryptedFileSystem...}`, answers OK and writes plain text, so the objects are made here and a test looks for its own words in every file.
 *
 * A file begins with 64 bytes: "weirfile", a version, 32 random bytes, a check. From the random bytes and the key come the file's own AES-256 key (a counter
 * therefore never meets the same key twice, whatever RocksDB calls its files) and the check, which tells another key, or a file that is not ours.
 * The counter is the offset, so any part is read by itself. Counter mode authenticates nothing: RocksDB's checksums, which are inside, find damage, but
 * not a forger; docs/encryption.md says so.
 *
 * A file whose prefix was never written out is an empty file: RocksDB makes its own log file at each open although nothing is written to it here, so a crash
 * leaves one of 0 bytes, or of zeros. It must read as empty, and not as damage that keeps the database from opening. RocksDB's own wrapper asserts in
 * that case, where it takes the prefix off a file's size; hence the second wrapper around it.
 *
 * The info log would be written past this file system (it goes to the one beneath), hence none is kept.
 */
#include "store/rocks_crypt.h"

extern "C" {
#include "base/hash.h"
}
#include <cstring>
#include <memory>
#include <rocksdb/env.h>
#include <rocksdb/env_encryption.h>
#include <rocksdb/file_system.h>
#include <rocksdb/options.h>

/* The C binding wraps the options in exactly this. */
struct rocksdb_options_t {
    rocksdb::Options rep;
};

namespace
{

constexpr size_t PREFIX = 64, MAGIC = 8, SALT_AT = 12, SALT = 32, CHECK_AT = 44, CHECK = 16;
constexpr char magic[MAGIC + 5] = "weirfile\0\0\0\1"; /* with the version, big-endian */

struct FileKey {
    unsigned char key[CIPHER_KEY_BYTES];
    unsigned char check[CHECK];
};
static_assert(sizeof(FileKey) == CIPHER_KEY_BYTES + CHECK, "derived as one run of bytes");

class Stream final : public rocksdb::BlockAccessCipherStream
{
  public:
    explicit Stream(const FileKey &file)
    {
        memcpy(key_, file.key, sizeof(key_));
    }
    ~Stream() override
    {
        cipher_forget(key_, sizeof(key_));
    }
    size_t BlockSize() override
    {
        return 16;
    }
    rocksdb::Status Encrypt(uint64_t offset, char *data, size_t size) override
    {
        return cipher_stream(key_, offset, data, size) ? rocksdb::Status::IOError("the cipher failed") : rocksdb::Status::OK();
    }
    rocksdb::Status Decrypt(uint64_t offset, char *data, size_t size) override
    {
        return Encrypt(offset, data, size);
    }

  protected:
    /* Never reached: the calls above take runs of any length. */
    void AllocateScratch(std::string &) override
    {
    }
    rocksdb::Status EncryptBlock(uint64_t, char *, char *) override
    {
        return rocksdb::Status::NotSupported();
    }
    rocksdb::Status DecryptBlock(uint64_t, char *, char *) override
    {
        return rocksdb::Status::NotSupported();
    }

  private:
    unsigned char key_[CIPHER_KEY_BYTES];
};

class Provider final : public rocksdb::EncryptionProvider
{
  public:
    explicit Provider(const unsigned char *key)
    {
        memcpy(key_, key, sizeof(key_));
    }
    ~Provider() override
    {
        cipher_forget(key_, sizeof(key_));
    }
    const char *Name() const override
    {
        return "weir";
    }
    size_t GetPrefixLength() const override
    {
        return PREFIX;
    }
    rocksdb::Status CreateNewPrefix(const std::string &, char *prefix, size_t len) const override
    {
        FileKey file;
        if (len != PREFIX)
            return rocksdb::Status::InvalidArgument("the prefix has another length");
        memset(prefix, 0, PREFIX);
        memcpy(prefix, magic, SALT_AT);
        random_bytes(prefix + SALT_AT, SALT);
        if (derive(prefix, &file))
            return rocksdb::Status::IOError("the cipher failed");
        memcpy(prefix + CHECK_AT, file.check, CHECK);
        cipher_forget(&file, sizeof(file));
        return rocksdb::Status::OK();
    }
    rocksdb::Status AddCipher(const std::string &, const char *, size_t, bool) override
    {
        return rocksdb::Status::NotSupported();
    }
    rocksdb::Status CreateCipherStream(const std::string &name, const rocksdb::EnvOptions &, rocksdb::Slice &prefix,
        std::unique_ptr<rocksdb::BlockAccessCipherStream> *result) override
    {
        FileKey file;
        if (unwritten(prefix)) {
            random_bytes(&file, sizeof(file));
            result->reset(new Stream(file)); /* should there be something behind it, it is noise */
            return rocksdb::Status::OK();
        }
        if (memcmp(prefix.data(), magic, SALT_AT) != 0)
            return rocksdb::Status::Corruption(name, "is not an encrypted file");
        if (derive(prefix.data(), &file))
            return rocksdb::Status::IOError(name, "the cipher failed");
        bool ours = memcmp(file.check, prefix.data() + CHECK_AT, CHECK) == 0;
        if (ours)
            result->reset(new Stream(file));
        cipher_forget(&file, sizeof(file));
        return ours ? rocksdb::Status::OK() : rocksdb::Status::Corruption(name, "was encrypted with another key, or its first bytes are damaged");
    }

  private:
    static bool unwritten(const rocksdb::Slice &prefix)
    {
        for (size_t i = 0; i < prefix.size(); i++)
            if (prefix.size() == PREFIX && prefix[i])
                return false;
        return true;
    }
    int derive(const char *prefix, FileKey *file) const
    {
        return cipher_derive(key_, "weir table file", text_make(prefix + SALT_AT, SALT), reinterpret_cast<unsigned char *>(file), sizeof(*file));
    }
    unsigned char key_[CIPHER_KEY_BYTES];
};

/* Sizes without the prefix, also of files that are shorter than it. */
class Sizes final : public rocksdb::FileSystemWrapper
{
  public:
    Sizes(const std::shared_ptr<rocksdb::FileSystem> &encrypted, const std::shared_ptr<rocksdb::FileSystem> &base)
        : rocksdb::FileSystemWrapper(encrypted), base_(base)
    {
    }
    const char *Name() const override
    {
        return "weir";
    }
    rocksdb::IOStatus GetFileSize(const std::string &name, const rocksdb::IOOptions &options, uint64_t *size, rocksdb::IODebugContext *debug) override
    {
        rocksdb::IOStatus status = base_->GetFileSize(name, options, size, debug);
        if (status.ok())
            *size -= *size < PREFIX ? *size : PREFIX;
        return status;
    }
    rocksdb::IOStatus GetChildrenFileAttributes(const std::string &folder, const rocksdb::IOOptions &options, std::vector<rocksdb::FileAttributes> *files,
        rocksdb::IODebugContext *debug) override
    {
        rocksdb::IOStatus status = base_->GetChildrenFileAttributes(folder, options, files, debug);
        for (size_t i = 0; status.ok() && i < files->size(); i++)
            (*files)[i].size_bytes -= (*files)[i].size_bytes < PREFIX ? (*files)[i].size_bytes : PREFIX;
        return status;
    }

  private:
    std::shared_ptr<rocksdb::FileSystem> base_;
};

/* Failures come as the status of a call; the log would repeat them in plain text beside the files. */
class NoLog final : public rocksdb::Logger
{
  public:
    using rocksdb::Logger::Logv;
    void Logv(const char *, va_list) override
    {
    }
};

} // namespace

struct rocks_crypt {
    std::unique_ptr<rocksdb::Env> env;
};

extern "C" struct rocks_crypt *rocks_crypt_create(const unsigned char key[CIPHER_KEY_BYTES])
{
    std::shared_ptr<rocksdb::FileSystem> base = rocksdb::FileSystem::Default();
    std::shared_ptr<rocksdb::FileSystem> encrypted = rocksdb::NewEncryptedFS(base, std::make_shared<Provider>(key));
    return encrypted ? new rocks_crypt{rocksdb::NewCompositeEnv(std::make_shared<Sizes>(encrypted, base))} : nullptr;
}

extern "C" void rocks_crypt_use(const struct rocks_crypt *crypt, rocksdb_options_t *options)
{
    options->rep.env = crypt->env.get();
    options->rep.info_log = std::make_shared<NoLog>();
}

extern "C" void rocks_crypt_destroy(struct rocks_crypt *crypt)
{
    delete crypt;
}
