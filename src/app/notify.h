/* Word to the service manager (systemd's sd_notify) where the library is there and somebody
 * listens; else nothing. Core thread. */
#ifndef APP_NOTIFY_H
#define APP_NOTIFY_H

#include <stdint.h>

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* Tell that the loop turns, if a quarter of the watchdog's time has passed. */
void notify_alive(int64_t now_ms);
/* How long the loop may sleep: half of the watchdog's time, or most_ms. */
int64_t notify_wait_ms(int64_t most_ms);

#endif
