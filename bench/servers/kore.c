/* Debian's kore: echo, broadcast and burst as a module. Built by run/native.js. */
#include <stdio.h>
#include <kore/kore.h>
#include <kore/http.h>

#define BURST 1000

int echo(struct http_request *);
int chat(struct http_request *);
int burst(struct http_request *);
void on_echo(struct connection *, u_int8_t, void *, size_t);
void on_chat(struct connection *, u_int8_t, void *, size_t);
void on_burst(struct connection *, u_int8_t, void *, size_t);

int
echo(struct http_request *req)
{
	kore_websocket_handshake(req, NULL, "on_echo", NULL);
	return (KORE_RESULT_OK);
}

int
chat(struct http_request *req)
{
	kore_websocket_handshake(req, NULL, "on_chat", NULL);
	return (KORE_RESULT_OK);
}

int
burst(struct http_request *req)
{
	kore_websocket_handshake(req, NULL, "on_burst", NULL);
	return (KORE_RESULT_OK);
}

void
on_echo(struct connection *c, u_int8_t op, void *data, size_t len)
{
	kore_websocket_send(c, op, data, len);
}

void
on_chat(struct connection *c, u_int8_t op, void *data, size_t len)
{
	kore_websocket_broadcast(c, op, data, len, WEBSOCKET_BROADCAST_LOCAL);
}

void
on_burst(struct connection *c, u_int8_t op, void *data, size_t len)
{
	char	message[32];
	int	i, size;

	(void)op;
	(void)data;
	(void)len;
	for (i = 0; i < BURST; i++) {
		size = snprintf(message, sizeof(message), "message %04d of %d", i, BURST);
		kore_websocket_send(c, WEBSOCKET_OP_TEXT, message, (size_t)size);
	}
}
