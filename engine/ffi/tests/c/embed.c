/* A host in C: calls, values, errors, cancellation by id, handles. Exits with 0 if all is as
 * it should be; else with the number of the line that is not. */
#include <stdio.h>
#include <string.h>

#include "gcrucible.h"

#define CHECK(condition)                                              \
    do {                                                              \
        if (!(condition)) {                                           \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);   \
            return 1;                                                 \
        }                                                             \
    } while (0)

static const char *SOURCE =
    "class Node { value, next }\n"
    "fn add(a, b) { return a + b }\n"
    "fn describe(job) { return { \"id\": job[\"id\"], \"tags\": [1, 2.5, nil, true, \"x\"] } }\n"
    "fn fail() { throw error(\"no good\") }\n"
    "fn wait() { sleep(3600000); return 1 }\n"
    "fn stubborn() { try { sleep(3600000) } catch e { return \"caught\" } }\n"
    "fn wraps(e) { throw error(\"wrapped\", error(\"twice\", e)) }\n"
    "fn cancels() { let f = spawn wait(); cancel(f); try { await f } catch e { wraps(e) } }\n"
    "fn spawns() { let f = spawn wait(); return await f }\n"
    "fn node() { return Node { value: 1, next: nil } }\n";

int main(void) {
    GcrError *error = NULL;
    GcrEngine *engine = NULL;
    GcrOptions options = {2, 0, "zombie,scribble,verify=full"};

    /* Bad source, bad modes, null pointers. */
    CHECK(gcr_engine_new("bad.crux", "fn f(a b) {}", NULL, &engine, &error) == GCR_STATUS_BAD_SOURCE);
    CHECK(gcr_error_status(error) == GCR_STATUS_BAD_SOURCE);
    CHECK(strstr(gcr_error_message(error), "bad.crux:1:8") != NULL);
    gcr_error_free(error);
    GcrOptions unknown = {0, 0, "no-such-mode"};
    CHECK(gcr_engine_new("a.crux", SOURCE, &unknown, &engine, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_engine_new(NULL, SOURCE, NULL, &engine, NULL) == GCR_STATUS_BAD_ARGUMENT);
    CHECK(gcr_engine_new("a.crux", "throw error(\"top\")", NULL, &engine, NULL) == GCR_STATUS_THREW);
    CHECK(gcr_engine_new("main.crux", SOURCE, &options, &engine, &error) == GCR_STATUS_OK);
    CHECK(error == NULL && engine != NULL);

    /* A call with values, there and back. */
    GcrValue *two = gcr_int(2), *forty = gcr_float(40.0);
    const GcrValue *numbers[] = {two, forty};
    GcrCall *call = NULL;
    GcrValue *result = NULL;
    CHECK(gcr_call(engine, 1, "add", numbers, 2, &call, &error) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, &error) == GCR_STATUS_OK);
    CHECK(gcr_call_value(call, &result, &error) == GCR_STATUS_OK);
    CHECK(gcr_kind(result) == GCR_KIND_FLOAT && gcr_as_float(result) == 42.0);
    gcr_value_free(result);
    gcr_value_free(two);
    gcr_value_free(forty);
    gcr_call_free(call);

    GcrValue *job = gcr_map();
    CHECK(gcr_map_set(job, "id", gcr_string("j1")));
    CHECK(!gcr_array_push(job, gcr_nil()));
    const GcrValue *jobs[] = {job};
    CHECK(gcr_call(engine, 1, "describe", jobs, 1, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_value(call, &result, NULL) == GCR_STATUS_OK);
    CHECK(gcr_kind(result) == GCR_KIND_MAP && gcr_len(result) == 2);
    CHECK(strcmp(gcr_key_at(result, 0), "id") == 0);
    CHECK(strcmp(gcr_as_string(gcr_at(result, 0)), "j1") == 0);
    const GcrValue *tags = gcr_at(result, 1);
    CHECK(gcr_kind(tags) == GCR_KIND_ARRAY && gcr_len(tags) == 5);
    CHECK(gcr_as_int(gcr_at(tags, 0)) == 1 && gcr_as_bool(gcr_at(tags, 3)));
    CHECK(gcr_at(tags, 5) == NULL && gcr_kind(NULL) == GCR_KIND_NIL);
    gcr_value_free(result);
    gcr_value_free(job);
    gcr_call_free(call);

    /* What is nested too deep is refused, and freed. */
    GcrValue *deep = gcr_array();
    int levels = 1;
    for (;;) {
        GcrValue *outer = levels % 2 ? gcr_array() : gcr_map();
        if (!(levels % 2 ? gcr_array_push(outer, deep) : gcr_map_set(outer, "k", deep))) {
            gcr_value_free(outer);
            break;
        }
        deep = outer;
        levels++;
    }
    CHECK(levels == 64);

    /* Errors: each its own. */
    CHECK(gcr_call(engine, 1, "nobody", NULL, 0, &call, NULL) == GCR_STATUS_UNKNOWN_EXPORT);
    CHECK(gcr_call(engine, 1, "fail", NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, &error) == GCR_STATUS_THREW);
    CHECK(strstr(gcr_error_message(error), "no good") != NULL);
    gcr_error_free(error);
    CHECK(gcr_call_value(call, &result, NULL) == GCR_STATUS_THREW);
    gcr_call_free(call);
    CHECK(gcr_cancel(engine, 1, NULL) == GCR_STATUS_CALL_NOT_FOUND);

    /* An id is taken until its call has ended; a duplicate leaves the first alone. */
    GcrCall *second = NULL;
    CHECK(gcr_call(engine, 7, "wait", NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call(engine, 7, "wait", NULL, 0, &second, NULL) == GCR_STATUS_DUPLICATE_CALL_ID);
    CHECK(gcr_call_wait(call, 1, NULL) == GCR_STATUS_TIMED_OUT);
    CHECK(gcr_cancel(engine, 7, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_CANCELLED);
    gcr_call_free(call);
    CHECK(gcr_call(engine, 7, "spawns", NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_cancel(engine, 7, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_CANCELLED);
    gcr_call_free(call);

    /* A cancellation is recognised, whatever wraps it. */
    CHECK(gcr_call(engine, 7, "cancels", NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, &error) == GCR_STATUS_CANCELLED);
    CHECK(strstr(gcr_error_message(error), "wrapped") != NULL);
    gcr_error_free(error);
    gcr_call_free(call);

    /* A handle keeps an object that is no data. */
    GcrHandle *handle = NULL;
    const uint64_t engines_own = gcr_stats(engine).protected_objects;
    CHECK(engines_own == 1);
    CHECK(gcr_call(engine, 8, "node", NULL, 0, &call, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_wait(call, -1, NULL) == GCR_STATUS_OK);
    CHECK(gcr_call_value(call, &result, NULL) == GCR_STATUS_NOT_DATA);
    CHECK(gcr_protect(call, &handle, NULL) == GCR_STATUS_OK);
    gcr_call_free(call);
    CHECK(gcr_stats(engine).protected_objects == engines_own + 1);
    gcr_handle_free(handle);

    /* A dropped call is cancelled; nothing is left at rest. */
    CHECK(gcr_call(engine, 9, "wait", NULL, 0, &call, NULL) == GCR_STATUS_OK);
    gcr_call_free(call);
    while (gcr_cancel(engine, 9, NULL) != GCR_STATUS_CALL_NOT_FOUND) {
    }
    GcrStats stats = gcr_stats(engine);
    CHECK(stats.protected_objects == engines_own && stats.open_calls == 0);
    gcr_engine_free(engine);
    puts("ok");
    return 0;
}
