/* Readers, writer and keeper over encrypted records. */
#define MODEL_CIPHER
#include "test_threads.c"
