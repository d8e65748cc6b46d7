/* The words by family, for fourlw's table alone: fourlw_server.c (about the whole),
 * fourlw_clients.c, fourlw_watches.c. Each appends its answer; all but ruok, isro, envi, gtmk and
 * stmk need a registry. */
#ifndef APP_FOURLW_WORDS_H
#define APP_FOURLW_WORDS_H

#include "app/view.h"
#include "base/buf.h"

void fourlw_ruok(const struct view *v, struct slice argument, struct buf *out);
void fourlw_isro(const struct view *v, struct slice argument, struct buf *out);
void fourlw_envi(const struct view *v, struct slice argument, struct buf *out);
void fourlw_gtmk(const struct view *v, struct slice argument, struct buf *out);
void fourlw_stmk(const struct view *v, struct slice argument, struct buf *out);
void fourlw_srvr(const struct view *v, struct slice argument, struct buf *out);
void fourlw_mntr(const struct view *v, struct slice argument, struct buf *out);
void fourlw_conf(const struct view *v, struct slice argument, struct buf *out);
void fourlw_dirs(const struct view *v, struct slice argument, struct buf *out);
void fourlw_hash(const struct view *v, struct slice argument, struct buf *out);
void fourlw_srst(const struct view *v, struct slice argument, struct buf *out);

void fourlw_stat(const struct view *v, struct slice argument, struct buf *out);
void fourlw_cons(const struct view *v, struct slice argument, struct buf *out);
void fourlw_crst(const struct view *v, struct slice argument, struct buf *out);
void fourlw_dump(const struct view *v, struct slice argument, struct buf *out);

void fourlw_wchs(const struct view *v, struct slice argument, struct buf *out);
void fourlw_wchc(const struct view *v, struct slice argument, struct buf *out);
void fourlw_wchp(const struct view *v, struct slice argument, struct buf *out);

/* What srvr and stat end with. */
void fourlw_print_figures(const struct view *v, struct buf *out);

#endif
