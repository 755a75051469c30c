/* SPDX-License-Identifier: MIT */
/* OpenSSL 3.0 calls engines deprecated, but Debian 12 has no PKCS#11 provider. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "core/token.h"

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ui.h>
#include <string.h>
#include <unistd.h>

#include "core/openssl.h"

static const char scheme[] = "pkcs11:";

static _Thread_local bool asked; /* for a PIN, without a terminal */

bool token_is_uri(const char *key)
{
	return !strncasecmp(key, scheme, sizeof scheme - 1);
}

static int refuse_to_ask(UI *ui)
{
	(void)ui;
	asked = true;
	return 0;
}

/* An empty PIN must never be tried: tokens lock themselves after a few wrong ones. */
static UI_METHOD *make_ui(void)
{
	if (isatty(STDIN_FILENO))
		return NULL;
	UI_METHOD *ui = UI_create_method("cairn: no terminal");
	if (ui)
		UI_method_set_opener(ui, refuse_to_ask);
	return ui;
}

static int open_engine(ENGINE **engine)
{
	ENGINE_load_dynamic();
	ENGINE *e = ENGINE_by_id("pkcs11");
	if (!e) {
		ERR_clear_error();
		return openssl_error(STATUS_FAILED,
			"no pkcs11 engine for OpenSSL here (Debian: "
			"libengine-pkcs11-openssl)");
	}
	/* Its own lines on stderr say nothing that the error would not. */
	ENGINE_ctrl_cmd_string(e, "QUIET", NULL, 0);
	if (!ENGINE_init(e)) {
		ENGINE_free(e);
		return openssl_error(STATUS_FAILED, "cannot start the pkcs11 engine");
	}
	*engine = e;
	return 0;
}

int token_load_key(const char *uri, struct evp_pkey_st **key)
{
	*key = NULL;
	ENGINE *engine = NULL;
	int r = open_engine(&engine);
	if (r < 0)
		return r;
	UI_METHOD *ui = make_ui();
	asked = false;
	*key = ENGINE_load_private_key(engine, uri, ui ? ui : UI_OpenSSL(), NULL);
	/* The query may hold a PIN, which no message shows. */
	int shown = (int)strcspn(uri, "?");
	if (!*key && asked) {
		ERR_clear_error();
		r = openssl_error(STATUS_FAILED,
			"%.*s: the token asks for a PIN and there is no terminal; name a "
			"file with ?pin-source=file:PATH",
			shown, uri);
	} else if (!*key) {
		r = openssl_error(STATUS_FAILED, "%.*s: cannot load the key", shown, uri);
	}
	ERR_clear_error();
	if (ui)
		UI_destroy_method(ui);
	/* The key holds what it needs of the engine. */
	ENGINE_finish(engine);
	ENGINE_free(engine);
	return r;
}
