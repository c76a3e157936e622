/* Programmer errors end the process, in release builds too. Bytes from outside never reach an ASSERT. */
#ifndef WEIR_BASE_ASSERT_H
#define WEIR_BASE_ASSERT_H

/* Prints "file:line: function: assertion failed: text" to standard error and aborts. Any thread. */
void assert_fail(const char *file, int line, const char *function, const char *text) __attribute__((noreturn));

#define ASSERT(x) ((x) ? (void)0 : assert_fail(__FILE__, __LINE__, __func__, #x))

#endif
