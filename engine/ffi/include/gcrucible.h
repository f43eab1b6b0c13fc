/* The C API of the Crux engine. Made from engine/ffi/src by its tests: do not edit.

 Rules. engine/ffi/README.md has a tour.

 1. What a function returns through an `out` parameter belongs to the caller, who frees it with the
    function of its type, once. Freeing null does nothing.
 2. Text is UTF-8 with a length in bytes, and may have zero bytes in it. What is passed need not
    end with one; what is returned has one behind its end, which does not count. Where the length
    of returned text is not asked for, text that has zero bytes in it is not returned.
 3. Options, engines, calls and handles are names rather than addresses: one that was freed, is null
    or of another type is refused, and freeing it again does nothing. Values and errors are
    addresses: they must be null where that is allowed, or unfreed.
 4. Every function may be called from any thread. A value must not be changed or freed while another
    thread uses it, and may be read by several.
 5. What waits is refused within a callback: it would wait for itself.
 6. After fork() the child has none of the engine's threads: it may free what it has, and everything
    else is refused. It may make engines of its own.
 7. Where a function takes a GcrError **, null means that only the status is wanted. */

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
   A pointer is null, freed or of another type, a text no UTF-8, a number out of its range,
   a mode unknown.
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
   The time was over before the call, or the top level, had ended; it goes on.
   */
  GCR_STATUS_TIMED_OUT = 8,
  /*
   The call has not ended yet.
   */
  GCR_STATUS_RUNNING = 9,
  /*
   The call, or the top level, ended with an error that nobody caught.
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
  /*
   The engine that it belongs to was freed.
   */
  GCR_STATUS_CLOSED = 15,
  /*
   It was made before a `fork()`, and this is the child.
   */
  GCR_STATUS_FORKED = 16,
  /*
   It would wait within a callback, which the engine waits for.
   */
  GCR_STATUS_IN_CALLBACK = 17,
} GcrStatus;

/*
 What a line is.
 */
typedef enum {
  /*
   It was printed.
   */
  GCR_LEVEL_PRINT = 0,
  /*
   `log.debug`.
   */
  GCR_LEVEL_DEBUG = 1,
  /*
   `log.info`.
   */
  GCR_LEVEL_INFO = 2,
  /*
   `log.warn`.
   */
  GCR_LEVEL_WARN = 3,
  /*
   `log.error`.
   */
  GCR_LEVEL_ERROR = 4,
} GcrLevel;

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
  /*
   A value of the program, as an argument: see `gcr_handle_arg`.
   */
  GCR_KIND_HANDLE = 7,
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
 A value of the program that the host keeps alive, data or not, counted once in
 `GcrStats::protected_objects`. It can be called, passed on, compared and converted. Free it
 with `gcr_handle_free`.
 */
typedef struct GcrHandle GcrHandle;

/*
 What an engine is made with. New ones are a good choice: two threads, the usual heap, a
 program that may touch neither files nor network nor environment, and whose lines go nowhere.
 One may be used for several engines. Free it with `gcr_options_free`.
 */
typedef struct GcrOptions GcrOptions;

/*
 A value of plain data. Free it with `gcr_value_free`, unless a function says that it took it.
 */
typedef struct GcrValue GcrValue;

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

/*
 Takes a line that a program printed or logged, without its level and its end: `len` bytes at
 `text`, which are there until it returns. It is called on threads of the engine, on several
 at once, until `gcr_engine_free` has returned (or, if that was called within a callback,
 until all that had begun by then have returned). It must not throw or jump out; what waits is
 refused within it.
 */
typedef void (*GcrPrint)(void *user, GcrLevel level, const char *text, uintptr_t len);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Starts a call of an exported function under an id of the caller's choice, less than 2^32 - 2,
 with `count` arguments, which stay the caller's. It does not wait.

 # Safety
 See the rules of the crate; `args` points to `count` values, each of which may be null for
 nil, or is null itself if `count` is 0.
 */
GcrStatus gcr_call(const GcrEngine *engine,
                   uint32_t id,
                   const char *function,
                   uintptr_t function_len,
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
 The value that a call returned, as data. Of what is none, `gcr_protect` gives a handle.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_call_value(const GcrCall *call, GcrValue **out, GcrError **error);

/*
 Requests cancellation of this very call, whoever has its id by now. Harmless if repeated, and
 if it has ended.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_call_cancel(const GcrCall *call, GcrError **error);

/*
 Frees a call. One that has not ended is cancelled, and its tasks with it.
 */
void gcr_call_free(GcrCall *call);

/*
 Compiles `source` (named `path` in messages), makes an engine and runs the top level to its
 end, however long that takes. `options` may be null.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_engine_new(const char *path,
                         uintptr_t path_len,
                         const char *source,
                         uintptr_t source_len,
                         const GcrOptions *options,
                         GcrEngine **out,
                         GcrError **error);

/*
 The same, which does not wait for the top level: `gcr_engine_wait` does. Until that has ended
 well, functions that it defines may not be there to be called.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_engine_start(const char *path,
                           uintptr_t path_len,
                           const char *source,
                           uintptr_t source_len,
                           const GcrOptions *options,
                           GcrEngine **out,
                           GcrError **error);

/*
 Waits until the top level has ended, for at most `timeout_ms` milliseconds, for ever if that
 is negative. `Ok` if it ended well; else `Threw`, `Cancelled` or `TimedOut`.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_engine_wait(const GcrEngine *engine, int64_t timeout_ms, GcrError **error);

/*
 Requests cancellation of the call with this id. Harmless if repeated.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_cancel(const GcrEngine *engine, uint32_t id, GcrError **error);

/*
 Numbers of an engine.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_stats(const GcrEngine *engine, GcrStats *out, GcrError **error);

/*
 Stops and frees an engine: what runs is dropped, who waits for it is told `Closed`, and so is
 who uses its calls and handles, which are freed as ever. It waits for callbacks that run,
 unless it is called within one.
 */
void gcr_engine_free(GcrEngine *engine);

/*
 The status of an error; `Ok` for null.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_error_status(const GcrError *error);

/*
 The message of an error, as long as that is not freed; null for null. `len` gets its
 length; if `len` is null, zero bytes in the message are shown as `\0`.

 # Safety
 See the rules of the crate.
 */
const char *gcr_error_message(const GcrError *error, uintptr_t *len);

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
 The value as data; `NotData` if it is none.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_handle_value(const GcrHandle *handle, GcrValue **out, GcrError **error);

/*
 The name of its type, as a string: `int`, `function`, the name of its class, as `type(v)` in
 the language says.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_handle_type(const GcrHandle *handle, GcrValue **out, GcrError **error);

/*
 Its display text, as a string, as `str(v)` in the language gives it.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_handle_text(const GcrHandle *handle, GcrValue **out, GcrError **error);

/*
 Whether two values of one engine are equal, as `==` in the language says: numbers by value,
 strings by content, all else if they are the same object.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_handle_equals(const GcrHandle *one,
                            const GcrHandle *other,
                            bool *out,
                            GcrError **error);

/*
 How many handles keep this value.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_handle_count(const GcrHandle *handle, uint32_t *out, GcrError **error);

/*
 The value as an argument of calls: the very one, no copy. It is of kind `Handle`, no part of
 arrays and maps, and keeps the value alive, as the handle does.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_handle_arg(const GcrHandle *handle, GcrValue **out, GcrError **error);

/*
 Starts a call of the value, as `gcr_call` does one of a function by name. If it is no
 function, the call throws a `TypeError`.

 # Safety
 As `gcr_call`.
 */
GcrStatus gcr_handle_call(const GcrHandle *handle,
                          uint32_t id,
                          const GcrValue *const *args,
                          uintptr_t count,
                          GcrCall **out,
                          GcrError **error);

/*
 Undoes the protect.
 */
void gcr_handle_free(GcrHandle *handle);

/*
 New options; null if there is no memory for them.
 */
GcrOptions *gcr_options_new(void);

/*
 Threads that run tasks, from 1 to 1024.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_options_workers(GcrOptions *options, uint32_t workers, GcrError **error);

/*
 Bytes that the program may keep alive, from 1 MiB to 16 TiB.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_options_heap_limit(GcrOptions *options, uint64_t bytes, GcrError **error);

/*
 Debug modes of the heap, such as `zombie,scribble,collect=safepoint`.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_options_heap_modes(GcrOptions *options,
                                 const char *modes,
                                 uintptr_t modes_len,
                                 GcrError **error);

/*
 One more of what `sys.args()` gives the program.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_options_arg(GcrOptions *options,
                          const char *arg,
                          uintptr_t arg_len,
                          GcrError **error);

/*
 Who gets the lines that the program prints and logs: `callback`, with `user` as its first
 argument; null for nobody. `user` must be usable from any thread until the engine has been
 freed; see `GcrPrint`.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_options_on_print(GcrOptions *options,
                               GcrPrint callback,
                               void *user,
                               GcrError **error);

/*
 The program may also touch this folder with everything in it, or this one file. `/` is all
 of them. Links that lead out of the folder are no way out of it.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_options_allow_fs(GcrOptions *options,
                               const char *path,
                               uintptr_t path_len,
                               GcrError **error);

/*
 The program may also talk to this host: `name`, `name:port`, an address, `[address]:port`,
 `*.name` for all below a name, or `*` for all.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_options_allow_net(GcrOptions *options,
                                const char *host,
                                uintptr_t host_len,
                                GcrError **error);

/*
 The program may also read this variable of the environment, or all for `*`.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_options_allow_env(GcrOptions *options,
                                const char *name,
                                uintptr_t name_len,
                                GcrError **error);

/*
 Frees options. Engines that were made with them go on.
 */
void gcr_options_free(GcrOptions *options);

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
 A string of `len` bytes of UTF-8, zero bytes among them if there are any; `BadArgument` if it
 is no UTF-8.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_string(const char *value, uintptr_t len, GcrValue **out, GcrError **error);

/*
 An empty array.
 */
GcrValue *gcr_array(void);

/*
 An empty map.
 */
GcrValue *gcr_map(void);

/*
 Appends to an array. Takes `element` in any case, null as nil. `BadArgument` if `array` is
 none, or is `element` (which is not taken then); `NotData` if it would have more than 64
 levels of arrays and maps, or `element` is a handle.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_array_push(GcrValue *array, GcrValue *element, GcrError **error);

/*
 Sets an entry of a map; what was lent from the one that it takes the place of is gone. Takes
 `value` in any case, null as nil. `BadArgument` if `map` is none, or is `value` (which is not
 taken then), or `key` no UTF-8; `NotData` if it would have more than 64 levels of arrays and
 maps, or `value` is a handle.

 # Safety
 See the rules of the crate.
 */
GcrStatus gcr_map_set(GcrValue *map,
                      const char *key,
                      uintptr_t key_len,
                      GcrValue *value,
                      GcrError **error);

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
 The text of a string, as long as the value lives; null for any other value. `len` gets its
 length in bytes; if `len` is null, so is the answer for text that has zero bytes in it.

 # Safety
 See the rules of the crate.
 */
const char *gcr_as_string(const GcrValue *value, uintptr_t *len);

/*
 Elements of an array, entries of a map, bytes of a string; else 0.

 # Safety
 See the rules of the crate.
 */
uintptr_t gcr_len(const GcrValue *value);

/*
 Element `index` of an array, or the value of entry `index` of a map, as long as the whole
 lives and it is not replaced; null if there is none. It is lent: it is not freed.

 # Safety
 See the rules of the crate.
 */
const GcrValue *gcr_at(const GcrValue *value, uintptr_t index);

/*
 The key of entry `index` of a map, as long as the map lives; null if there is none. `len`
 gets its length in bytes; if `len` is null, so is the answer for a key that has zero bytes in
 it.

 # Safety
 See the rules of the crate.
 */
const char *gcr_key_at(const GcrValue *value, uintptr_t index, uintptr_t *len);

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
