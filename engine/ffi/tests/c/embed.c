/* A host in C: text, values, calls, errors, cancellation, handles, callbacks, capabilities, threads,
 * fork. Exits with 0 if all is as it should be; else it says which line is not. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gcrucible.h"

#define CHECK(condition)                                              \
    do {                                                              \
        if (!(condition)) {                                           \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);   \
            return __LINE__;                                          \
        }                                                             \
    } while (0)
/* The same for a whole test, which is 0 if all is well. */
#define TRY(test) CHECK((test) == 0)

/* A text and its length. */
#define T(text) (text), strlen(text)
/* A literal and its length, zero bytes and all. */
#define Z(text) (text), sizeof(text) - 1

static const char *SOURCE =
    "class Node { value, next }\n"
    "fn add(a, b) { return a + b }\n"
    "fn same(v) { return v }\n"
    "fn describe(job) { return { \"id\": job[\"id\"], \"tags\": [1, 2.5, nil, true, \"x\"] } }\n"
    "fn fail() { throw error(\"no good\") }\n"
    "fn fail_with(text) { throw error(text) }\n"
    "fn wait() { sleep(3600000); return 1 }\n"
    "fn spin() { while true {} }\n"
    "fn wraps(e) { throw error(\"wrapped\", error(\"twice\", e)) }\n"
    "fn cancels() { let f = spawn wait(); cancel(f); try { await f } catch e { wraps(e) } }\n"
    "fn spawns() { let f = spawn wait(); return await f }\n"
    "fn node() { return Node { value: 1, next: nil } }\n"
    "fn value_of(node) { return node.value }\n"
    "fn counter() { let n = 0; return |by| { n = n + by; return n } }\n"
    "fn speak(text) { print(text, 1); log.warn(\"careful\"); return nil }\n"
    "fn many() { for i in 0..1000 { print(i) } }\n"
    "fn touch(f) { try { return [f()] } catch e { return \"${e.kind}: ${e.message}\" } }\n"
    "fn touches() {\n"
    "  let path = sys.args()[0]\n"
    "  return [touch(|| fs.read(path)), touch(|| sys.env(\"HOME\")), touch(|| fs.read(\"/etc/passwd\"))]\n"
    "}\n";

static GcrValue *string(const char *text, size_t len) {
    GcrValue *value = NULL;
    gcr_string(text, len, &value, NULL);
    return value;
}

static int is(const GcrValue *value, const char *text, size_t len) {
    size_t found = 0;
    const char *at = gcr_as_string(value, &found);
    return at != NULL && found == len && memcmp(at, text, len) == 0 && at[len] == 0;
}

static GcrEngine *engine_of(const char *source, const GcrOptions *options) {
    GcrEngine *engine = NULL;
    GcrError *error = NULL;
    if (gcr_engine_new(T("main.crux"), T(source), options, &engine, &error) != GCR_STATUS_OK) {
        fprintf(stderr, "%s\n", gcr_error_message(error, NULL));
    }
    return engine;
}

/* Calls a function and gives what it returned, or null. */
static GcrValue *returned(GcrEngine *engine, const char *name, const GcrValue *arg) {
    GcrCall *call = NULL;
    GcrValue *value = NULL;
    const GcrValue *args[] = {arg};
    if (gcr_call(engine, 100, T(name), args, arg != NULL, &call, NULL) != GCR_STATUS_OK) return NULL;
    if (gcr_call_wait(call, -1, NULL) == GCR_STATUS_OK) gcr_call_value(call, &value, NULL);
    gcr_call_free(call);
    return value;
}

static int bad_arguments(void) {
    GcrError *error = NULL;
    GcrEngine *engine = NULL;
    GcrOptions *options = gcr_options_new();
    CHECK(gcr_engine_new(T("bad.crux"), T("fn f(a b) {}"), NULL, &engine, &error) == GCR_STATUS_BAD_SOURCE);
    CHECK(gcr_error_status(error) == GCR_STATUS_BAD_SOURCE);
    CHECK(strstr(gcr_error_message(error, NULL), "bad.crux:1:8") != NULL);
    gcr_error_free(error);
    CHECK(gcr_engine_new(NULL, 1, T(SOURCE), NULL, &engine, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_engine_new(T("a"), NULL, 5, NULL, &engine, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_engine_new(T("a"), T(SOURCE), NULL, NULL, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_engine_new(T("a"), "", SIZE_MAX, NULL, &engine, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_engine_new(T("a"), Z("let x = \"\xff\""), NULL, &engine, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_engine_new(T("a"), T("throw error(\"top\")"), NULL, &engine, NULL) == GCR_STATUS_THREW);
    /* A source goes on behind a zero byte: in a string it is text, elsewhere an error. */
    CHECK(gcr_engine_new(T("a"), Z("fn f() {}\0 nonsense ("), NULL, &engine, NULL) == GCR_STATUS_BAD_SOURCE);

    const uint32_t workers[] = {0, 1025, 1u << 31, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        CHECK(gcr_options_workers(options, workers[i], &error) == GCR_STATUS_BAD_ARGUMENT);
        CHECK(strstr(gcr_error_message(error, NULL), "expected 1 to 1024") != NULL);
        gcr_error_free(error);
    }
    const uint64_t limits[] = {0, 1, 4096, (1u << 20) - 1, ((uint64_t)1 << 44) + 1, UINT64_MAX};
    for (size_t i = 0; i < 6; i++) {
        CHECK(gcr_options_heap_limit(options, limits[i], NULL) == GCR_STATUS_BAD_ARGUMENT);
    }
    CHECK(gcr_options_heap_modes(options, T("no-such-mode"), NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_options_allow_fs(options, T("/no/such/folder"), NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_options_allow_net(options, T("http://a/"), NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_options_allow_env(options, NULL, 0, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_options_workers(NULL, 1, NULL) == GCR_STATUS_BAD_ARGUMENT);
    /* The ends of the ranges. */
    CHECK(gcr_options_workers(options, 1, NULL) == GCR_STATUS_OK);
    CHECK(gcr_options_heap_limit(options, 1u << 20, NULL) == GCR_STATUS_OK);
    engine = engine_of("fn f() { return 1 }", options);
    CHECK(engine != NULL);
    GcrValue *one = returned(engine, "f", NULL);
    CHECK(gcr_as_int(one) == 1);
    gcr_value_free(one);
    /* More than there can be of address space is an error, not the end. */
    CHECK(gcr_options_heap_limit(options, (uint64_t)1 << 44, NULL) == GCR_STATUS_OK);
    GcrEngine *huge = NULL;
    GcrStatus status = gcr_engine_new(T("a"), T("1"), options, &huge, NULL);
    CHECK(status == GCR_STATUS_OK || status == GCR_STATUS_ENGINE_FAILED);
    gcr_engine_free(huge);

    /* Ids of the engine's own, and pointers to something else. */
    GcrCall *call = NULL;
    CHECK(gcr_call(engine, UINT32_MAX, T("f"), NULL, 0, &call, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_call(engine, UINT32_MAX - 1, T("f"), NULL, 0, &call, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_call(engine, UINT32_MAX - 2, T("f"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, INT64_MAX, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, INT64_MIN, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call(engine, 1, T("f"), NULL, 1, &call, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_call(engine, 1, T("f"), NULL, 0, NULL, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_call(NULL, 1, T("f"), NULL, 0, &call, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_call_wait((GcrCall *)engine, 0, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_call_wait((GcrCall *)&call, 0, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_cancel((GcrEngine *)call, 1, NULL) == GCR_STATUS_BAD_ARGUMENT);
    gcr_engine_free((GcrEngine *)call);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_OK);
    /* What was freed is refused, and may be freed again. */
    GcrCall *kept = NULL;
    CHECK(gcr_call(engine, 5, T("f"), NULL, 0, &kept, NULL) == GCR_STATUS_OK);
    gcr_call_free(call);
    gcr_call_free(call);
    gcr_call_free(NULL);
    CHECK(gcr_call_wait(call, -1, &error) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(strstr(gcr_error_message(error, NULL), "freed") != NULL);
    gcr_error_free(error);
    gcr_engine_free(engine);
    gcr_engine_free(engine);
    CHECK(gcr_cancel(engine, 1, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_call_wait(kept, -1, NULL) == GCR_STATUS_CLOSED);
    gcr_call_free(kept);
    gcr_options_free(options);
    gcr_options_free(options);
    gcr_options_free(NULL);
    gcr_error_free(NULL);
    gcr_value_free(NULL);
    gcr_handle_free(NULL);
    return 0;
}

/* Zero bytes are bytes like others, in both directions. */
static int text(GcrEngine *engine) {
    GcrError *error = NULL;
    GcrValue *value = NULL;
    GcrValue *map = gcr_map();
    size_t len = 0;
    CHECK(gcr_map_set(map, Z("a\0b"), string(Z("x\0y")), NULL) == GCR_STATUS_OK);
    CHECK(gcr_map_set(map, Z("a\0c"), string(Z("")), NULL) == GCR_STATUS_OK);
    CHECK(gcr_map_set(map, NULL, 0, gcr_int(3), NULL) == GCR_STATUS_OK);
    CHECK(gcr_map_set(map, Z("a\0c"), string(Z("z\0")), NULL) == GCR_STATUS_OK);
    CHECK(gcr_len(map) == 3);
    value = returned(engine, "same", map);
    CHECK(gcr_len(value) == 3);
    CHECK(memcmp(gcr_key_at(value, 0, &len), "a\0b", 4) == 0 && len == 3);
    CHECK(memcmp(gcr_key_at(value, 1, &len), "a\0c", 4) == 0 && len == 3);
    CHECK(gcr_key_at(value, 2, &len) != NULL && len == 0);
    CHECK(gcr_key_at(value, 3, &len) == NULL && len == 0);
    CHECK(is(gcr_at(value, 0), Z("x\0y")) && is(gcr_at(value, 1), Z("z\0")));
    /* Who asks for no length gets no text that would be cut. */
    CHECK(gcr_as_string(gcr_at(value, 0), NULL) == NULL && gcr_key_at(value, 0, NULL) == NULL);
    CHECK(strcmp(gcr_key_at(value, 2, NULL), "") == 0);
    gcr_value_free(value);
    gcr_value_free(map);

    GcrCall *call = NULL;
    GcrValue *message = string(Z("no\0good"));
    const GcrValue *args[] = {message};
    CHECK(gcr_call(engine, 1, T("fail_with"), args, 1, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, &error) == GCR_STATUS_THREW);
    const char *said = gcr_error_message(error, &len);
    CHECK(strlen(said) < len && strstr(gcr_error_message(error, NULL), "no\\0good") != NULL);
    gcr_error_free(error);
    gcr_call_free(call);
    gcr_value_free(message);
    CHECK(gcr_error_message(NULL, &len) == NULL && len == 0);
    CHECK(gcr_call(engine, 1, Z("add\0"), NULL, 0, &call, NULL) == GCR_STATUS_UNKNOWN_EXPORT);

    /* What is no UTF-8 is refused, and says where. */
    CHECK(gcr_string(Z("ab\xff"), &value, &error) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(strstr(gcr_error_message(error, NULL), "byte 2") != NULL);
    gcr_error_free(error);
    CHECK(gcr_string(Z("\xed\xa0\x80"), &value, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_string(NULL, 1, &value, NULL) == GCR_STATUS_BAD_ARGUMENT);
    map = gcr_map();
    CHECK(gcr_map_set(map, Z("\xc3"), gcr_nil(), NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_len(map) == 0);
    gcr_value_free(map);
    CHECK(gcr_call(engine, 1, Z("\xc3"), NULL, 0, &call, NULL) == GCR_STATUS_BAD_ARGUMENT);
    return 0;
}

static int values(GcrEngine *engine) {
    GcrValue *two = gcr_int(2), *forty = gcr_float(40.0);
    const GcrValue *numbers[] = {two, forty};
    GcrCall *call = NULL;
    GcrValue *result = NULL;
    CHECK(gcr_call(engine, 1, T("add"), numbers, 2, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_value(call, &result, NULL) == GCR_STATUS_OK);
    CHECK(gcr_kind(result) == GCR_KIND_FLOAT && gcr_as_float(result) == 42.0);
    gcr_value_free(result);
    gcr_value_free(two);
    gcr_value_free(forty);
    gcr_call_free(call);

    GcrValue *job = gcr_map();
    CHECK(gcr_map_set(job, T("id"), string(T("j1")), NULL) == GCR_STATUS_OK);
    CHECK(gcr_array_push(job, gcr_nil(), NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_map_set(job, T("self"), job, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_array_push(NULL, gcr_nil(), NULL) == GCR_STATUS_BAD_ARGUMENT);
    result = returned(engine, "describe", job);
    CHECK(gcr_kind(result) == GCR_KIND_MAP && gcr_len(result) == 2);
    CHECK(strcmp(gcr_key_at(result, 0, NULL), "id") == 0);
    CHECK(is(gcr_at(result, 0), T("j1")));
    const GcrValue *tags = gcr_at(result, 1);
    CHECK(gcr_kind(tags) == GCR_KIND_ARRAY && gcr_len(tags) == 5);
    CHECK(gcr_at(tags, 0) == gcr_at(tags, 0));
    CHECK(gcr_as_int(gcr_at(tags, 0)) == 1 && gcr_as_bool(gcr_at(tags, 3)));
    CHECK(gcr_at(tags, 5) == NULL && gcr_at(tags, SIZE_MAX) == NULL && gcr_kind(NULL) == GCR_KIND_NIL);
    gcr_value_free(result);
    gcr_value_free(job);

    /* What was lent stays where it is when the whole grows. */
    GcrValue *array = gcr_array();
    CHECK(gcr_array_push(array, gcr_int(7), NULL) == GCR_STATUS_OK);
    const GcrValue *first = gcr_at(array, 0);
    for (int i = 0; i < 1000; i++) CHECK(gcr_array_push(array, NULL, NULL) == GCR_STATUS_OK);
    CHECK(gcr_at(array, 0) == first && gcr_as_int(first) == 7 && gcr_len(array) == 1001);
    gcr_value_free(array);

    /* What is nested too deep is refused, and freed. */
    GcrValue *deep = gcr_array();
    int levels = 1;
    for (;;) {
        GcrValue *outer = levels % 2 ? gcr_array() : gcr_map();
        GcrStatus status =
            levels % 2 ? gcr_array_push(outer, deep, NULL) : gcr_map_set(outer, T("k"), deep, NULL);
        if (status != GCR_STATUS_OK) {
            CHECK(status == GCR_STATUS_NOT_DATA);
            gcr_value_free(outer);
            break;
        }
        deep = outer;
        levels++;
    }
    CHECK(levels == 64);
    return 0;
}

static int calls(GcrEngine *engine) {
    GcrError *error = NULL;
    GcrCall *call = NULL, *second = NULL;
    GcrValue *result = NULL;
    CHECK(gcr_call(engine, 1, T("nobody"), NULL, 0, &call, NULL) == GCR_STATUS_UNKNOWN_EXPORT);
    CHECK(gcr_call(engine, 1, T("fail"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, &error) == GCR_STATUS_THREW);
    CHECK(strstr(gcr_error_message(error, NULL), "no good") != NULL);
    gcr_error_free(error);
    CHECK(gcr_call_value(call, &result, NULL) == GCR_STATUS_THREW);
    gcr_call_free(call);
    CHECK(gcr_cancel(engine, 1, NULL) == GCR_STATUS_CALL_NOT_FOUND);

    /* An id is taken until its call has ended; a duplicate leaves the first alone. */
    CHECK(gcr_call(engine, 7, T("wait"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call(engine, 7, T("wait"), NULL, 0, &second, NULL) == GCR_STATUS_DUPLICATE_CALL_ID);
    CHECK(gcr_call_value(call, &result, NULL) == GCR_STATUS_RUNNING);
    CHECK(gcr_call_wait(call, 0, NULL) == GCR_STATUS_TIMED_OUT);
    CHECK(gcr_call_wait(call, 1, NULL) == GCR_STATUS_TIMED_OUT);
    CHECK(gcr_cancel(engine, 7, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_CANCELLED);
    /* The next of that id is not the one that was cancelled. */
    CHECK(gcr_call(engine, 7, T("wait"), NULL, 0, &second, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_cancel(call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(second, 1, NULL) == GCR_STATUS_TIMED_OUT);
    CHECK(gcr_call_cancel(second, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(second, -1, NULL) == GCR_STATUS_CANCELLED);
    gcr_call_free(second);
    gcr_call_free(call);
    CHECK(gcr_call(engine, 7, T("spawns"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_cancel(engine, 7, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_CANCELLED);
    gcr_call_free(call);
    CHECK(gcr_call(engine, 7, T("spin"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, 1, NULL) == GCR_STATUS_TIMED_OUT);
    CHECK(gcr_call_cancel(call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_CANCELLED);
    gcr_call_free(call);

    /* A cancellation is recognised, whatever wraps it. */
    CHECK(gcr_call(engine, 7, T("cancels"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, &error) == GCR_STATUS_CANCELLED);
    CHECK(strstr(gcr_error_message(error, NULL), "wrapped") != NULL);
    gcr_error_free(error);
    gcr_call_free(call);
    return 0;
}

static uint64_t protected_objects(GcrEngine *engine) {
    GcrStats stats = {0};
    gcr_stats(engine, &stats, NULL);
    return stats.protected_objects;
}

/* What a function returns, kept. */
static GcrHandle *handle_of(GcrEngine *engine, const char *function) {
    GcrCall *call = NULL;
    GcrHandle *handle = NULL;
    gcr_call(engine, 8, T(function), NULL, 0, &call, NULL);
    gcr_call_wait(call, -1, NULL);
    gcr_protect(call, &handle, NULL);
    gcr_call_free(call);
    return handle;
}

static int handles(GcrEngine *engine) {
    GcrCall *call = NULL;
    GcrValue *value = NULL;
    uint32_t count = 0;
    bool equal = false;
    const uint64_t engines_own = protected_objects(engine);
    CHECK(engines_own == 1);

    GcrHandle *node = handle_of(engine, "node"), *other = handle_of(engine, "node");
    CHECK(node != NULL && protected_objects(engine) == engines_own + 2);
    CHECK(gcr_handle_type(node, &value, NULL) == GCR_STATUS_OK && is(value, T("Node")));
    gcr_value_free(value);
    CHECK(gcr_handle_text(node, &value, NULL) == GCR_STATUS_OK);
    CHECK(strstr(gcr_as_string(value, NULL), "Node") != NULL);
    gcr_value_free(value);
    CHECK(gcr_handle_value(node, &value, NULL) == GCR_STATUS_NOT_DATA);
    CHECK(gcr_handle_equals(node, other, &equal, NULL) == GCR_STATUS_OK && !equal);
    CHECK(gcr_handle_equals(node, node, &equal, NULL) == GCR_STATUS_OK && equal);
    gcr_handle_free(other);
    CHECK(gcr_handle_equals(node, other, &equal, NULL) == GCR_STATUS_BAD_ARGUMENT);

    /* Passed on it is the very object. */
    GcrValue *arg = NULL;
    CHECK(gcr_handle_arg(node, &arg, NULL) == GCR_STATUS_OK && gcr_kind(arg) == GCR_KIND_HANDLE);
    value = returned(engine, "value_of", arg);
    CHECK(gcr_as_int(value) == 1);
    gcr_value_free(value);
    const GcrValue *args[] = {arg};
    CHECK(gcr_call(engine, 8, T("same"), args, 1, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_value(call, &value, NULL) == GCR_STATUS_NOT_DATA);
    CHECK(gcr_protect(call, &other, NULL) == GCR_STATUS_OK);
    gcr_call_free(call);
    CHECK(gcr_handle_equals(node, other, &equal, NULL) == GCR_STATUS_OK && equal);
    CHECK(gcr_handle_count(node, &count, NULL) == GCR_STATUS_OK && count == 2);
    gcr_handle_free(other);
    CHECK(gcr_handle_count(node, &count, NULL) == GCR_STATUS_OK && count == 1);
    GcrValue *array = gcr_array(), *part = NULL;
    CHECK(gcr_handle_arg(node, &part, NULL) == GCR_STATUS_OK);
    CHECK(gcr_array_push(array, part, NULL) == GCR_STATUS_NOT_DATA && gcr_len(array) == 0);
    gcr_value_free(array);

    /* A function is called; what is none throws. */
    GcrHandle *counter = handle_of(engine, "counter");
    GcrValue *by = gcr_int(20);
    const GcrValue *twenty[] = {by};
    for (int round = 1; round <= 2; round++) {
        CHECK(gcr_handle_call(counter, 8, twenty, 1, &call, NULL) == GCR_STATUS_OK);
        CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_OK);
        CHECK(gcr_call_value(call, &value, NULL) == GCR_STATUS_OK && gcr_as_int(value) == 20 * round);
        gcr_value_free(value);
        gcr_call_free(call);
    }
    CHECK(gcr_handle_call(node, 8, NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_THREW);
    gcr_call_free(call);
    CHECK(gcr_handle_call(counter, 8, NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_THREW);
    gcr_call_free(call);

    /* Data can be kept, too. */
    CHECK(gcr_call(engine, 8, T("same"), twenty, 1, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_OK);
    CHECK(gcr_protect(call, &other, NULL) == GCR_STATUS_OK);
    gcr_call_free(call);
    CHECK(gcr_handle_value(other, &value, NULL) == GCR_STATUS_OK && gcr_as_int(value) == 20);
    gcr_value_free(value);
    gcr_value_free(by);

    /* Not on another engine. */
    GcrEngine *stranger = engine_of(SOURCE, NULL);
    CHECK(gcr_call(stranger, 1, T("same"), args, 1, &call, NULL) == GCR_STATUS_BAD_ARGUMENT);
    GcrHandle *foreign = handle_of(stranger, "node");
    CHECK(gcr_handle_equals(node, foreign, &equal, NULL) == GCR_STATUS_BAD_ARGUMENT);
    gcr_engine_free(stranger);
    CHECK(gcr_handle_type(foreign, &value, NULL) == GCR_STATUS_CLOSED);
    gcr_handle_free(foreign);

    gcr_handle_free(other);
    gcr_handle_free(counter);
    gcr_handle_free(node);
    /* The argument keeps its value, too. */
    CHECK(protected_objects(engine) == engines_own + 1);
    gcr_value_free(arg);
    CHECK(protected_objects(engine) == engines_own);
    return 0;
}

struct seen {
    pthread_mutex_t lock;
    int lines, levels[5], refused;
    char last[64];
    size_t last_len;
    GcrEngine *engine;
};

static void on_print(void *user, GcrLevel level, const char *text, size_t len) {
    struct seen *seen = user;
    pthread_mutex_lock(&seen->lock);
    seen->lines++;
    seen->levels[level]++;
    if (level == GCR_LEVEL_PRINT && len < sizeof seen->last) {
        memcpy(seen->last, text, len + 1);
        seen->last_len = len;
    }
    GcrCall *call = NULL;
    if (seen->engine != NULL &&
        gcr_call(seen->engine, 50, T("node"), NULL, 0, &call, NULL) == GCR_STATUS_IN_CALLBACK) {
        seen->refused++;
    }
    pthread_mutex_unlock(&seen->lock);
}

static void frees_engine(void *user, GcrLevel level, const char *text, size_t len) {
    struct seen *seen = user;
    (void)level, (void)text, (void)len;
    pthread_mutex_lock(&seen->lock);
    seen->lines++;
    gcr_engine_free(seen->engine);
    pthread_mutex_unlock(&seen->lock);
}

static int printing(void) {
    struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER};
    GcrOptions *options = gcr_options_new();
    CHECK(gcr_options_on_print(options, on_print, &seen, NULL) == GCR_STATUS_OK);
    GcrEngine *engine = engine_of(SOURCE, options);
    seen.engine = engine;
    GcrValue *text = string(Z("a\0b"));
    gcr_value_free(returned(engine, "speak", text));
    gcr_value_free(text);
    CHECK(seen.lines == 2 && seen.levels[GCR_LEVEL_PRINT] == 1 && seen.levels[GCR_LEVEL_WARN] == 1);
    CHECK(seen.last_len == 5 && memcmp(seen.last, "a\0b 1", 6) == 0);
    CHECK(seen.refused == 2);
    /* No callback runs when an engine has been freed. */
    GcrCall *call = NULL;
    CHECK(gcr_call(engine, 1, T("many"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    gcr_engine_free(engine);
    int lines = seen.lines;
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_CLOSED);
    gcr_call_free(call);
    CHECK(seen.lines == lines);

    /* An engine may be freed in its own callback. */
    CHECK(gcr_options_on_print(options, frees_engine, &seen, NULL) == GCR_STATUS_OK);
    seen.lines = 0;
    pthread_mutex_lock(&seen.lock);
    seen.engine = engine_of(SOURCE, options);
    GcrEngine *freed = seen.engine;
    CHECK(gcr_call(freed, 1, T("many"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    pthread_mutex_unlock(&seen.lock);
    GcrStatus status = gcr_call_wait(call, -1, NULL);
    CHECK(status == GCR_STATUS_CLOSED);
    gcr_call_free(call);
    CHECK(gcr_cancel(freed, 1, NULL) == GCR_STATUS_BAD_ARGUMENT);
    gcr_options_free(options);
    return 0;
}

static int loading(void) {
    GcrEngine *engine = NULL;
    GcrError *error = NULL;
    CHECK(gcr_engine_start(T("a"), T("while true {}"), NULL, &engine, NULL) == GCR_STATUS_OK);
    CHECK(gcr_engine_wait(engine, 5, &error) == GCR_STATUS_TIMED_OUT);
    gcr_error_free(error);
    gcr_engine_free(engine);
    CHECK(gcr_engine_start(T("a"), T("sleep(1)\nthrow error(\"top\")"), NULL, &engine, NULL) == GCR_STATUS_OK);
    CHECK(gcr_engine_wait(engine, -1, &error) == GCR_STATUS_THREW);
    CHECK(strstr(gcr_error_message(error, NULL), "top") != NULL);
    gcr_error_free(error);
    gcr_engine_free(engine);
    CHECK(gcr_engine_start(T("a"), T("fn f() {}"), NULL, &engine, NULL) == GCR_STATUS_OK);
    CHECK(gcr_engine_wait(engine, -1, NULL) == GCR_STATUS_OK);
    CHECK(gcr_engine_wait(engine, -1, NULL) == GCR_STATUS_OK);
    gcr_engine_free(engine);
    return 0;
}

/* A program of a library touches nothing unless it may. */
static int capabilities(const char *folder) {
    char path[4096];
    snprintf(path, sizeof path, "%s/data.txt", folder);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs("text", file) >= 0 && fclose(file) == 0);
    GcrOptions *options = gcr_options_new();
    CHECK(gcr_options_arg(options, T(path), NULL) == GCR_STATUS_OK);
    GcrEngine *engine = engine_of(SOURCE, options);
    GcrValue *result = returned(engine, "touches", NULL);
    CHECK(strstr(gcr_as_string(gcr_at(result, 0), NULL), "HostError: not allowed: fs.read") != NULL);
    CHECK(strstr(gcr_as_string(gcr_at(result, 1), NULL), "HostError: not allowed: env of HOME") != NULL);
    gcr_value_free(result);
    gcr_engine_free(engine);
    CHECK(gcr_options_allow_fs(options, T(folder), NULL) == GCR_STATUS_OK);
    CHECK(gcr_options_allow_env(options, T("HOME"), NULL) == GCR_STATUS_OK);
    CHECK(gcr_options_allow_net(options, T("example.com:443"), NULL) == GCR_STATUS_OK);
    engine = engine_of(SOURCE, options);
    result = returned(engine, "touches", NULL);
    CHECK(is(gcr_at(gcr_at(result, 0), 0), T("text")));
    CHECK(gcr_kind(gcr_at(result, 1)) == GCR_KIND_ARRAY);
    CHECK(strstr(gcr_as_string(gcr_at(result, 2), NULL), "HostError: not allowed: fs.read") != NULL);
    gcr_value_free(result);
    gcr_engine_free(engine);
    gcr_options_free(options);
    remove(path);
    return 0;
}

/* Several threads look at one value, and wait for one call. */
struct shared {
    const GcrValue *value;
    GcrCall *call;
    int line;
};

static int look(const struct shared *shared) {
    for (int round = 0; round < 2000; round++) {
        size_t len = 0;
        const GcrValue *part = gcr_at(shared->value, round % 8);
        CHECK(part != NULL && gcr_kind(part) == GCR_KIND_STRING);
        CHECK(memcmp(gcr_as_string(part, &len), "text\0more", 10) == 0 && len == 9);
        CHECK(gcr_key_at(shared->value, round % 8, &len) != NULL && len == 1);
        CHECK(gcr_len(shared->value) == 8);
    }
    CHECK(gcr_call_wait(shared->call, -1, NULL) == GCR_STATUS_CANCELLED);
    return 0;
}

static void *looks(void *argument) {
    struct shared *shared = argument;
    shared->line = look(shared);
    return NULL;
}

static int threads(GcrEngine *engine) {
    GcrValue *map = gcr_map();
    const char *keys = "abcdefgh";
    for (int i = 0; i < 8; i++) CHECK(gcr_map_set(map, keys + i, 1, string(Z("text\0more")), NULL) == GCR_STATUS_OK);
    GcrCall *call = NULL;
    CHECK(gcr_call(engine, 60, T("wait"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    struct shared shared[4];
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) {
        shared[i] = (struct shared){map, call, 0};
        CHECK(pthread_create(&thread[i], NULL, looks, &shared[i]) == 0);
    }
    CHECK(gcr_call_cancel(call, NULL) == GCR_STATUS_OK);
    for (int i = 0; i < 4; i++) {
        CHECK(pthread_join(thread[i], NULL) == 0);
        CHECK(shared[i].line == 0);
    }
    gcr_call_free(call);
    gcr_value_free(map);
    return 0;
}

static void *frees(void *engine) {
    gcr_engine_free(engine);
    return NULL;
}

/* Who waits is told when the engine is freed. */
static int freed_while_waiting(void) {
    GcrEngine *engine = engine_of(SOURCE, NULL);
    GcrCall *call = NULL;
    CHECK(gcr_call(engine, 1, T("wait"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, frees, engine) == 0);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_CLOSED);
    CHECK(pthread_join(thread, NULL) == 0);
    gcr_call_free(call);
    return 0;
}

/* What the child of a fork may do. */
static int in_child(GcrEngine *engine, GcrCall *call, GcrHandle *handle, GcrValue *arg) {
    GcrError *error = NULL;
    GcrCall *second = NULL;
    GcrStats stats;
    GcrValue *value = NULL;
    CHECK(gcr_call(engine, 71, T("node"), NULL, 0, &second, &error) == GCR_STATUS_FORKED);
    CHECK(strstr(gcr_error_message(error, NULL), "fork") != NULL);
    gcr_error_free(error);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_FORKED);
    CHECK(gcr_call_cancel(call, NULL) == GCR_STATUS_FORKED);
    CHECK(gcr_stats(engine, &stats, NULL) == GCR_STATUS_FORKED);
    CHECK(gcr_handle_type(handle, &value, NULL) == GCR_STATUS_FORKED);
    gcr_value_free(arg);
    gcr_handle_free(handle);
    gcr_call_free(call);
    gcr_engine_free(engine);
    GcrEngine *own = engine_of(SOURCE, NULL);
    CHECK(own != NULL);
    value = returned(own, "same", NULL);
    gcr_value_free(value);
    CHECK(gcr_cancel(engine, 1, NULL) == GCR_STATUS_FORKED);
    gcr_engine_free(own);
    return 0;
}

static int forks(GcrEngine *engine) {
    GcrCall *call = NULL;
    GcrValue *arg = NULL;
    GcrHandle *handle = handle_of(engine, "node");
    CHECK(gcr_handle_arg(handle, &arg, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call(engine, 70, T("wait"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        _exit(in_child(engine, call, handle, arg) == 0 ? 0 : 1);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The parent goes on. */
    CHECK(gcr_call_wait(call, 0, NULL) == GCR_STATUS_TIMED_OUT);
    CHECK(gcr_call_cancel(call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_CANCELLED);
    gcr_call_free(call);
    gcr_value_free(arg);
    gcr_handle_free(handle);
    return 0;
}

static int test(const char *folder) {
    GcrError *error = NULL;
    GcrEngine *engine = NULL;
    GcrOptions *options = gcr_options_new();
    CHECK(gcr_options_heap_modes(options, T("zombie,scribble,verify=full"), &error) == GCR_STATUS_OK);
    engine = engine_of(SOURCE, options);
    gcr_options_free(options);
    CHECK(error == NULL && engine != NULL);

    TRY(bad_arguments());
    TRY(text(engine));
    TRY(values(engine));
    TRY(calls(engine));
    TRY(handles(engine));
    TRY(printing());
    TRY(loading());
    TRY(capabilities(folder));
    TRY(threads(engine));
    TRY(freed_while_waiting());
    TRY(forks(engine));

    /* A dropped call is cancelled; nothing is left at rest. */
    GcrCall *call = NULL;
    CHECK(gcr_call(engine, 9, T("wait"), NULL, 0, &call, NULL) == GCR_STATUS_OK);
    gcr_call_free(call);
    while (gcr_cancel(engine, 9, NULL) != GCR_STATUS_CALL_NOT_FOUND) {
    }
    GcrStats stats;
    CHECK(gcr_stats(engine, &stats, NULL) == GCR_STATUS_OK);
    CHECK(stats.protected_objects == 1 && stats.open_calls == 0);
    gcr_engine_free(engine);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 2 || test(argv[1]) != 0) return 1;
    puts("ok");
    return 0;
}
