/*
 * Real Kore's side of the conversations: a module that does what the request's query and messages ask for, and writes
 * a line for each callback. facade.js does the same with kore-ws/kore; it explains the steps.
 */
#include <kore/kore.h>
#include <kore/http.h>

#define STEPS_MAX	1024
#define FIELDS_MAX	6
#define TICK_MS		100

struct talk {
	char	name[32];
	char	connect[STEPS_MAX];
	char	disconnect[STEPS_MAX];
};

void	kore_worker_configure(void);
int	talk(struct http_request *);
void	on_connect(struct connection *);
void	on_message(struct connection *, u_int8_t, void *, size_t);
void	on_disconnect(struct connection *);

static void
say(const char *name, const char *fmt, ...)
{
	va_list	args;
	char	text[512], line[640];
	int	len;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	/* One write of less than PIPE_BUF bytes: lines of several workers don't mix. */
	len = snprintf(line, sizeof(line), "@%d %s %s\n", (int)getpid(), name, text);
	if (write(STDOUT_FILENO, line, len) == -1)
		_exit(1);
}

static const char *
name_of(struct connection *c)
{
	struct talk	*t = c->hdlr_extra;

	return (t == NULL ? "?" : t->name);
}

static size_t
unhex(const char *hex, u_int8_t *out, size_t max)
{
	size_t		len;
	unsigned int	byte;

	for (len = 0; len < max && sscanf(hex + 2 * len, "%2x", &byte) == 1; len++)
		out[len] = byte;
	return (len);
}

static void
tick(void *arg, u_int64_t now)
{
	(void)arg;
	(void)now;
}

static void
say_constants(const char *name)
{
	say(name, "constants %d %d %d %d %d %d, %d %d, %d %d %d %d, %d %d %d %d, %d %d %d %d, %d %d %d",
	    WEBSOCKET_OP_CONT, WEBSOCKET_OP_TEXT, WEBSOCKET_OP_BINARY,
	    WEBSOCKET_OP_CLOSE, WEBSOCKET_OP_PING, WEBSOCKET_OP_PONG,
	    WEBSOCKET_BROADCAST_LOCAL, WEBSOCKET_BROADCAST_GLOBAL,
	    CONN_STATE_UNKNOWN, CONN_STATE_TLS_SHAKE, CONN_STATE_ESTABLISHED, CONN_STATE_DISCONNECTING,
	    CONN_PROTO_UNKNOWN, CONN_PROTO_HTTP, CONN_PROTO_WEBSOCKET, CONN_PROTO_MSG,
	    CONN_IDLE_TIMER_ACT, CONN_CLOSE_EMPTY, CONN_WS_CLOSE_SENT, CONN_IS_BUSY,
	    KORE_RESULT_ERROR, KORE_RESULT_OK, KORE_RESULT_RETRY);
}

static void
say_state(struct connection *c)
{
	struct connection	*other;
	int			listed = 0;

	TAILQ_FOREACH(other, &connections, list) {
		if (other == c)
			listed = 1;
	}
	say(name_of(c), "state %d, proto %d, %s, %s", c->state, c->proto,
	    c->flags & CONN_WS_CLOSE_SENT ? "close sent" : "close not sent",
	    listed ? "listed" : "not listed");
}

static void
run_step(struct connection *c, char **field, int count)
{
	static u_int8_t	bytes[STEPS_MAX];
	u_int8_t	*filled;
	size_t		len;

	if (!strcmp(field[0], "send") && count >= 2) {
		len = count > 2 ? unhex(field[2], bytes, sizeof(bytes)) : 0;
		kore_websocket_send(c, strtol(field[1], NULL, 16), bytes, len);
	} else if (!strcmp(field[0], "fill") && count == 3) {
		len = strtoul(field[2], NULL, 10);
		filled = kore_malloc(len + 1);
		memset(filled, 'x', len);
		kore_websocket_send(c, strtol(field[1], NULL, 16), filled, len);
		kore_free(filled);
	} else if (!strcmp(field[0], "cast") && count == 5) {
		len = unhex(field[4], bytes, sizeof(bytes));
		kore_websocket_broadcast(field[1][0] == '1' ? c : NULL,
		    strtol(field[2], NULL, 16), bytes, len, atoi(field[3]));
	} else if (!strcmp(field[0], "flood") && count == 5) {
		len = strtoul(field[4], NULL, 10);
		filled = kore_malloc(len + 1);
		memset(filled, 'x', len);
		kore_websocket_broadcast(field[1][0] == '1' ? c : NULL,
		    strtol(field[2], NULL, 16), filled, len, atoi(field[3]));
		kore_free(filled);
	} else if (!strcmp(field[0], "end")) {
		kore_connection_disconnect(c);
	} else if (!strcmp(field[0], "flag")) {
		c->flags |= CONN_WS_CLOSE_SENT;
	} else if (!strcmp(field[0], "idle") && count == 2) {
		c->idle_timer.length = strtoul(field[1], NULL, 10);
	} else if (!strcmp(field[0], "deaf")) {
		c->ws_message = NULL;
	} else if (!strcmp(field[0], "fault")) {
		*(volatile int *)0 = 0;
	} else if (!strcmp(field[0], "exit")) {
		_exit(1);
	} else if (!strcmp(field[0], "flags")) {
		say(name_of(c), "flags %d", c->flags);
	} else if (!strcmp(field[0], "state")) {
		say_state(c);
	} else if (!strcmp(field[0], "constants")) {
		say_constants(name_of(c));
	} else {
		say(name_of(c), "no such step: %s", field[0]);
	}
}

static void
run_steps(struct connection *c, const char *steps)
{
	char	copy[STEPS_MAX], *step, *rest, *field[FIELDS_MAX];
	int	count;

	(void)snprintf(copy, sizeof(copy), "%s", steps);
	for (rest = copy; (step = strsep(&rest, ",")) != NULL;) {
		if (*step == '\0')
			continue;
		for (count = 0; count < FIELDS_MAX && (field[count] = strsep(&step, ".")) != NULL; count++)
			;
		run_step(c, field, count);
	}
}

/* Copies the value of a key of the query string; empty where it is not there. */
static void
query_value(const char *query, const char *key, char *out, size_t size)
{
	char		copy[STEPS_MAX], *pair, *rest;
	const size_t	len = strlen(key);

	out[0] = '\0';
	(void)snprintf(copy, sizeof(copy), "%s", query == NULL ? "" : query);
	for (rest = copy; (pair = strsep(&rest, "&")) != NULL;) {
		if (!strncmp(pair, key, len) && pair[len] == '=')
			(void)snprintf(out, size, "%s", pair + len + 1);
	}
}

static void
set_header(struct http_request *req, char *step)
{
	char	value[128];
	char	*name;
	size_t	len;

	(void)strsep(&step, ".");
	name = strsep(&step, ".");
	if (name == NULL || step == NULL)
		return;
	len = unhex(step, (u_int8_t *)value, sizeof(value) - 1);
	value[len] = '\0';
	http_response_header(req, name, value);
}

void
kore_worker_configure(void)
{
	say("-", "listens");
}

int
talk(struct http_request *req)
{
	static int	ticking;
	struct talk	*t;
	char		steps[STEPS_MAX], *step, *rest;
	const char	*opened, *got, *closed;
	int		result, tell;

	if (req->owner->hdlr_extra != NULL)
		kore_free(req->owner->hdlr_extra);
	t = kore_calloc(1, sizeof(*t));
	req->owner->hdlr_extra = t;
	query_value(req->query_string, "name", t->name, sizeof(t->name));
	query_value(req->query_string, "connect", t->connect, sizeof(t->connect));
	query_value(req->query_string, "disconnect", t->disconnect, sizeof(t->disconnect));
	query_value(req->query_string, "request", steps, sizeof(steps));

	tell = 0;
	result = KORE_RESULT_OK;
	opened = "on_connect";
	got = "on_message";
	closed = "on_disconnect";
	for (rest = steps; (step = strsep(&rest, ",")) != NULL;) {
		if (!strncmp(step, "header.", 7))
			set_header(req, step);
		else if (!strcmp(step, "none"))
			opened = got = closed = NULL;
		else if (!strcmp(step, "unknown"))
			got = "nobody_has_this";
		else if (!strcmp(step, "error"))
			result = KORE_RESULT_ERROR;
		else if (!strcmp(step, "status"))
			tell = 1;
		else if (!strcmp(step, "busy"))
			kore_worker_make_busy();
		else if (!strcmp(step, "tick") && !ticking++)
			kore_timer_add(tick, TICK_MS, NULL, 0);
	}

	kore_websocket_handshake(req, opened, got, closed);
	if (tell)
		say(t->name, "status %d", req->status);
	return (result);
}

void
on_connect(struct connection *c)
{
	struct talk	*t = c->hdlr_extra;

	say(name_of(c), "connect");
	if (t != NULL)
		run_steps(c, t->connect);
}

void
on_message(struct connection *c, u_int8_t op, void *data, size_t len)
{
	char	steps[STEPS_MAX];

	if (len > 0 && len < sizeof(steps) && *(char *)data == '!') {
		memcpy(steps, (char *)data + 1, len - 1);
		steps[len - 1] = '\0';
		run_steps(c, steps);
	} else {
		say(name_of(c), "message, op %d, %zu bytes", op, len);
		kore_websocket_send(c, op, data, len);
	}
}

void
on_disconnect(struct connection *c)
{
	struct talk	*t = c->hdlr_extra;

	/* The word that the other side waits for comes last. */
	if (t != NULL)
		run_steps(c, t->disconnect);
	say(name_of(c), "disconnect");
}
