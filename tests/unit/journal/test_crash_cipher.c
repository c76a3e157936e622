/* The random lives and the crash at every call, over encrypted records. */
#define MODEL_CIPHER
#include "test_crash.c"
