/* Reads and prints documents with the functions of libvirt and libxml2, as often as it is told.
 *
 * Each line of input is WHAT TIMES FILE. The answer is the shortest time in nanoseconds, and the
 * length of what was printed last.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *(*xml_read)(const char *, int, const char *, const char *, int);
static void (*xml_free)(void *);
static void *(*network_parse)(const char *, const char *, void *, bool);
static char *(*network_format)(const void *, void *, unsigned int);
static void (*network_free)(void *);

static void *find(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_NOW), *symbol = handle ? dlsym(handle, name) : NULL;

    if (!symbol) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    return symbol;
}

/* The length of what is printed; 0 if nothing is. */
static size_t once(const char *what, const char *text, size_t length)
{
    if (strcmp(what, "libxml2") == 0) {
        void *tree = xml_read(text, (int)length, NULL, NULL, 0);

        if (!tree)
            exit(3);
        xml_free(tree);
        return 0;
    }
    void *network = network_parse(text, NULL, NULL, false);
    char *printed = network ? network_format(network, NULL, 0) : NULL;

    if (!printed)
        exit(3);
    size_t size = strlen(printed);

    free(printed);
    network_free(network);
    return size;
}

static long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static char *contents(const char *path, size_t *length)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 16 << 20);

    if (!file || !text)
        exit(4);
    *length = fread(text, 1, (16 << 20) - 1, file);
    fclose(file);
    return text;
}

int main(void)
{
    static const char libvirt[] = "libvirt.so.0", libxml2[] = "libxml2.so.2";
    char what[16], path[256];
    unsigned long version;
    int times;

    /* Before anything else of libvirt: it sets up threads and errors. */
    ((int (*)(void))find(libvirt, "virInitialize"))();
    ((int (*)(unsigned long *, const char *, unsigned long *))find(libvirt, "virGetVersion"))(&version, NULL, NULL);
    xml_read = find(libxml2, "xmlReadMemory");
    xml_free = find(libxml2, "xmlFreeDoc");
    network_parse = find(libvirt, "virNetworkDefParse");
    network_format = find(libvirt, "virNetworkDefFormat");
    network_free = find(libvirt, "virNetworkDefFree");
    long number = atol(*(const char **)find(libxml2, "xmlParserVersion"));

    printf("%lu.%lu.%lu %ld.%ld.%ld\n", version / 1000000, version / 1000 % 1000, version % 1000,
           number / 10000, number / 100 % 100, number % 100);
    fflush(stdout);
    while (scanf("%15s %d %255s", what, &times, path) == 3) {
        size_t length, printed = 0;
        char *text = contents(path, &length);
        long best = -1;

        for (int time = 0; time < times; time++) {
            long begin = now();

            printed = once(what, text, length);
            long taken = now() - begin;

            if (best < 0 || taken < best)
                best = taken;
        }
        free(text);
        printf("%ld %zu\n", best, printed);
        fflush(stdout);
    }
    return 0;
}
