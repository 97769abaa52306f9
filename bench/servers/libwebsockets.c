/*
 * libwebsockets: echo, chat and burst. It hands over messages in pieces and takes one frame per writable callback,
 * so each connection has a message under way and a queue. Built by run/native.js.
 */
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST 1000

struct message {
	int users;
	int binary;
	size_t size, room;
	unsigned char *bytes; /* LWS_PRE bytes in front are the library's */
};

struct entry {
	struct entry *next;
	struct message *message;
};

struct session {
	struct session *next;
	struct lws *wsi;
	struct message *coming;
	struct entry *first, **last;
};

static struct session *everybody;
static const char *mode;

static struct message *make(size_t room)
{
	struct message *m = calloc(1, sizeof(*m));
	m->users = 1;
	m->room = room;
	m->bytes = (unsigned char *)malloc(LWS_PRE + room) + LWS_PRE;
	return m;
}

static void drop(struct message *m)
{
	if (--m->users > 0)
		return;
	free(m->bytes - LWS_PRE);
	free(m);
}

static void enqueue(struct session *s, struct message *m)
{
	struct entry *e = malloc(sizeof(*e));
	e->next = NULL;
	e->message = m;
	m->users++;
	*s->last = e;
	s->last = &e->next;
	lws_callback_on_writable(s->wsi);
}

static struct message *dequeue(struct session *s)
{
	struct entry *e = s->first;
	struct message *m = e->message;
	s->first = e->next;
	if (s->first == NULL)
		s->last = &s->first;
	free(e);
	return m;
}

static void on_message(struct session *s, struct message *m)
{
	if (mode[0] == 'e') {
		enqueue(s, m);
	} else if (mode[0] == 'c') {
		for (struct session *other = everybody; other; other = other->next)
			if (other != s)
				enqueue(other, m);
	} else {
		for (int i = 0; i < BURST; i++) {
			struct message *reply = make(32);
			reply->size = (size_t)snprintf((char *)reply->bytes, 32, "message %04d of %d", i, BURST);
			enqueue(s, reply);
			drop(reply);
		}
	}
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length)
{
	struct session *s = user;

	if (reason == LWS_CALLBACK_ESTABLISHED) {
		memset(s, 0, sizeof(*s));
		s->wsi = wsi;
		s->last = &s->first;
		s->next = everybody;
		everybody = s;
	} else if (reason == LWS_CALLBACK_CLOSED) {
		struct session **at = &everybody;
		while (*at != s)
			at = &(*at)->next;
		*at = s->next;
		while (s->first)
			drop(dequeue(s));
		if (s->coming)
			drop(s->coming);
	} else if (reason == LWS_CALLBACK_RECEIVE) {
		struct message *m = s->coming;
		if (m == NULL)
			m = s->coming = make(length + lws_remaining_packet_payload(wsi));
		if (m->size + length > m->room)
			return -1; /* fragments, which the load generator does not send */
		m->binary = lws_frame_is_binary(wsi);
		memcpy(m->bytes + m->size, in, length);
		m->size += length;
		if (lws_remaining_packet_payload(wsi) == 0 && lws_is_final_fragment(wsi)) {
			s->coming = NULL;
			on_message(s, m);
			drop(m);
		}
	} else if (reason == LWS_CALLBACK_SERVER_WRITEABLE && s->first) {
		struct message *m = dequeue(s);
		int written = lws_write(wsi, m->bytes, m->size, m->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
		drop(m);
		if (written < 0)
			return -1;
		if (s->first)
			lws_callback_on_writable(wsi);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct lws_protocols protocols[] = {
		{ "bench", callback, sizeof(struct session), 65536, 0, NULL, 0 },
		{ NULL, NULL, 0, 0, 0, NULL, 0 },
	};
	struct lws_context_creation_info info;

	if (argc < 3)
		return 2;
	mode = argv[1];
	lws_set_log_level(LLL_ERR, NULL);
	memset(&info, 0, sizeof(info));
	info.port = atoi(argv[2]);
	info.iface = "127.0.0.1";
	info.protocols = protocols;
	struct lws_context *context = lws_create_context(&info);
	while (context && lws_service(context, 0) >= 0)
		;
	return 1;
}
