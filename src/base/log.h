/*
 * The program's own log: one JSON object per line on standard error, {"time","level","module","message",...}.
 * Never tokens, keys, bodies. Rate limited per call site (LOG_BURST lines a second), what is dropped is counted. Any thread.
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
#define LOG_BURST 20

void log_level_set(enum log_level level);
void log_write(enum log_level level, const char *module, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define log_debug(module, ...) log_write(LOG_DEBUG, module, __VA_ARGS__)
#define log_info(module, ...) log_write(LOG_INFO, module, __VA_ARGS__)
#define log_warn(module, ...) log_write(LOG_WARN, module, __VA_ARGS__)
#define log_error(module, ...) log_write(LOG_ERROR, module, __VA_ARGS__)

#endif
