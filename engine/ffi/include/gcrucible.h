/* The C API of the Crux engine. Made from engine/ffi/src by its tests: do not edit. */

#ifndef GCRUCIBLE_H
#define GCRUCIBLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/*
 How a function ended.
 */
typedef enum {
  /*
   As asked.
   */
  GCR_STATUS_OK = 0,
  /*
   A pointer is null, a string no UTF-8, a mode unknown.
   */
  GCR_STATUS_BAD_ARGUMENT = 1,
  /*
   The source does not compile; the message holds all diagnostics.
   */
  GCR_STATUS_BAD_SOURCE = 2,
  /*
   The engine could not be made.
   */
  GCR_STATUS_ENGINE_FAILED = 3,
  /*
   The program exports no such function.
   */
  GCR_STATUS_UNKNOWN_EXPORT = 4,
  /*
   A call with that id has not ended yet; it goes on undisturbed.
   */
  GCR_STATUS_DUPLICATE_CALL_ID = 5,
  /*
   No call with that id is in progress.
   */
  GCR_STATUS_CALL_NOT_FOUND = 6,
  /*
   The heap has no room for the arguments.
   */
  GCR_STATUS_OUT_OF_MEMORY = 7,
  /*
   The time was over before the call had ended; it goes on.
   */
  GCR_STATUS_TIMED_OUT = 8,
  /*
   The call has not ended yet.
   */
  GCR_STATUS_RUNNING = 9,
  /*
   The call ended with an error that nobody caught.
   */
  GCR_STATUS_THREW = 10,
  /*
   The call was cancelled, or ended with the cancellation of what it waited for, whatever
   errors wrap that.
   */
  GCR_STATUS_CANCELLED = 11,
  /*
   The value is no plain data, or nested too deep.
   */
  GCR_STATUS_NOT_DATA = 12,
  /*
   The engine panicked.
   */
  GCR_STATUS_INTERNAL = 13,
  /*
   The call ended because a host operation panicked in it.
   */
  GCR_STATUS_PANICKED = 14,
} GcrStatus;

/*
 The kinds of data.
 */
typedef enum {
  /*
   `nil`, and what a null pointer is.
   */
  GCR_KIND_NIL = 0,
  /*
   A bool.
   */
  GCR_KIND_BOOL = 1,
  /*
   A 64-bit int.
   */
  GCR_KIND_INT = 2,
  /*
   A 64-bit float.
   */
  GCR_KIND_FLOAT = 3,
  /*
   A string.
   */
  GCR_KIND_STRING = 4,
  /*
   An array.
   */
  GCR_KIND_ARRAY = 5,
  /*
   A map with string keys.
   */
  GCR_KIND_MAP = 6,
} GcrKind;

/*
 A call in progress or ended. Free it with `gcr_call_free`.
 */
typedef struct GcrCall GcrCall;

/*
 A program on an engine. Free it with `gcr_engine_free`.
 */
typedef struct GcrEngine GcrEngine;

/*
 A status with a message for people. Free it with `gcr_error_free`.
 */
typedef struct GcrError GcrError;

/*
 An object of the program that the host keeps alive, counted once in
 `GcrStats::protected_objects`. Free it with `gcr_handle_free`.
 */
typedef struct GcrHandle GcrHandle;

/*
 A value of plain data. Free it with `gcr_value_free`, unless a function says that it took it.
 */
typedef struct GcrValue GcrValue;

/*
 What an engine is made with. All zero and null is a good choice.
 */
typedef struct {
  /*
   Threads that run tasks; 0 for two.
   */
  uint32_t workers;
  /*
   Bytes that the program may keep alive; 0 for the usual limit.
   */
  uint64_t heap_limit_bytes;
  /*
   Debug modes of the heap, such as `zombie,scribble,collect=safepoint`; null for none.
   */
  const char *heap_modes;
} GcrOptions;

/*
 Numbers of an engine, exact when nothing runs.
 */
typedef struct {
  /*
   Futures that have not settled.
   */
  uint64_t active_futures;
  /*
   Calls that have not ended.
   */
  uint64_t open_calls;
  /*
   Protects that were not undone. One is the engine's own: the promise of its entry module.
   */
  uint64_t protected_objects;
  /*
   Minor collections so far.
   */
  uint64_t collections_minor;
  /*
   Major collections so far.
   */
  uint64_t collections_major;
  /*
   Bytes of heap blocks in use.
   */
  uint64_t used_bytes;
} GcrStats;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Starts a call of an exported function under an id of the caller's choice, with `count`
 arguments, which stay the caller's. It does not wait.

 # Safety
 See the rules of the crate; `args` points to `count` values, each of which may be null for
 nil, or is null itself if `count` is 0.
 */
GcrStatus gcr_call(const GcrEngine *engine,
                   uint32_t id,
                   const char *function,
                   const GcrValue *const *args,
                   uintptr_t count,
                   GcrCall **out,
                   GcrError **error);

/*
 Waits until a call has ended, for at most `timeout_ms` milliseconds, for ever if that is
 negative. `Ok` if it returned; else `Threw`, `Cancelled` or `TimedOut`, and `error` says
 more.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_call_wait(const GcrCall *call, int64_t timeout_ms, GcrError **error);

/*
 The value that a call returned, as data.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_call_value(const GcrCall *call, GcrValue **out, GcrError **error);

/*
 Frees a call. One that has not ended is cancelled, and its tasks with it.

 # Safety
 See the rules of the crate.
 */
void gcr_call_free(GcrCall *call);

/*
 Compiles `source` (named `path` in messages), makes an engine and runs the top level.
 `options` may be null.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_engine_new(const char *path,
                         const char *source,
                         const GcrOptions *options,
                         GcrEngine **out,
                         GcrError **error);

/*
 Requests cancellation of the call with this id. Harmless if repeated.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_cancel(const GcrEngine *engine, uint32_t id, GcrError **error);

/*
 Numbers of an engine; all zero for null.

 # Safety
 See the rules of the crate.
 */
GcrStats gcr_stats(const GcrEngine *engine);

/*
 Stops and frees an engine; calls in progress are dropped. Calls and handles of it must
 have been freed before.

 # Safety
 See the rules of the crate.
 */
void gcr_engine_free(GcrEngine *engine);

/*
 The status of an error; `Ok` for null.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_error_status(const GcrError *error);

/*
 The message of an error, as long as that is not freed; an empty one for null.

 # Safety
 See the rules of the crate.
 */
const char *gcr_error_message(const GcrError *error);

/*
 Frees an error.

 # Safety
 See the rules of the crate.
 */
void gcr_error_free(GcrError *error);

/*
 Keeps the value that a call returned alive beyond the call.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_protect(const GcrCall *call, GcrHandle **out, GcrError **error);

/*
 Undoes the protect.

 # Safety
 See the rules of the crate.
 */
void gcr_handle_free(GcrHandle *handle);

/*
 `nil`.
 */
GcrValue *gcr_nil(void);

/*
 A bool.
 */
GcrValue *gcr_bool(bool value);

/*
 An int.
 */
GcrValue *gcr_int(int64_t value);

/*
 A float.
 */
GcrValue *gcr_float(double value);

/*
 A string; null if it is null or no UTF-8.

 # Safety
 See the rules of the crate.
 */
GcrValue *gcr_string(const char *value);

/*
 An empty array.
 */
GcrValue *gcr_array(void);

/*
 An empty map.
 */
GcrValue *gcr_map(void);

/*
 Appends to an array. Takes `element` in any case, null as nil. False if `array` is none, or
 would have more than 64 levels of arrays and maps.

 # Safety
 See the rules of the crate.
 */
bool gcr_array_push(GcrValue *array, GcrValue *element);

/*
 Sets an entry of a map. Takes `value` in any case, null as nil. False if `map` is none,
 `key` no UTF-8, or the map would have more than 64 levels of arrays and maps.

 # Safety
 See the rules of the crate.
 */
bool gcr_map_set(GcrValue *map, const char *key, GcrValue *value);

/*
 The kind of a value.

 # Safety
 See the rules of the crate.
 */
GcrKind gcr_kind(const GcrValue *value);

/*
 The bool that a value is, else false.

 # Safety
 See the rules of the crate.
 */
bool gcr_as_bool(const GcrValue *value);

/*
 The int that a value is, else 0.

 # Safety
 See the rules of the crate.
 */
int64_t gcr_as_int(const GcrValue *value);

/*
 The float that a value is, an int as a float too, else 0.

 # Safety
 See the rules of the crate.
 */
double gcr_as_float(const GcrValue *value);

/*
 The text of a string, as long as the value lives; null for any other value. A zero byte
 in it becomes a space.

 # Safety
 See the rules of the crate.
 */
const char *gcr_as_string(const GcrValue *value);

/*
 Elements of an array, entries of a map, bytes of a string; else 0.

 # Safety
 See the rules of the crate.
 */
uintptr_t gcr_len(const GcrValue *value);

/*
 Element `index` of an array, or the value of entry `index` of a map, as long as the whole
 lives; null if there is none.

 # Safety
 See the rules of the crate.
 */
const GcrValue *gcr_at(const GcrValue *value, uintptr_t index);

/*
 The key of entry `index` of a map, as long as the map lives; null if there is none.

 # Safety
 See the rules of the crate.
 */
const char *gcr_key_at(const GcrValue *value, uintptr_t index);

/*
 Frees a value and all that was lent from it.

 # Safety
 See the rules of the crate.
 */
void gcr_value_free(GcrValue *value);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* GCRUCIBLE_H */
