/* Small marks on declarations, used everywhere. */
#ifndef BASE_CDEFS_H
#define BASE_CDEFS_H

#include <stddef.h>

#define must_check __attribute__((warn_unused_result))
#define no_return __attribute__((noreturn))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

/* The struct that holds member at ptr (intrusive containers). */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
