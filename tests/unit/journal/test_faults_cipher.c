/* The faults, over encrypted records. */
#define MODEL_CIPHER
#include "test_faults.c"
