/* layer: node store codec */
/* Golden traces: every scene is played and its trace held, line by line, against the file of its
 * name.
 *
 * usage: golden [--record] FOLDER */
#include <stdlib.h>

#include "scenes.h"

enum { PATH_BYTES = 4096, LINE_BYTES = 1024, GOLDEN_SEED = 7 };

static void no_step(struct world *world, uint64_t number)
{
    (void)world;
    (void)number;
}

/* False when an invariant was violated. */
static bool play(const struct scene *scene, FILE *out)
{
    struct world *world = world_new(GOLDEN_SEED, true);
    world->on_step = no_step;
    world->out = out;
    (void)fprintf(out, "# %s: %s\n", scene->name, scene->about);
    scene->play(world);
    bool good = !world->violated;
    world_free(world);
    return good;
}

/* The first line that differs, or 0. */
static int difference(FILE *is, FILE *want, char *is_line, char *want_line)
{
    for (int number = 1;; number++) {
        is_line[0] = '\0';
        want_line[0] = '\0';
        bool more = fgets(is_line, LINE_BYTES, is) != NULL;
        more = fgets(want_line, LINE_BYTES, want) != NULL || more;
        if (!more) {
            return 0;
        }
        if (strcmp(is_line, want_line) != 0) {
            return number;
        }
    }
}

static bool compare(const struct scene *scene, const char *path)
{
    char is_line[LINE_BYTES];
    char want_line[LINE_BYTES];
    FILE *want = fopen(path, "r");
    FILE *is = tmpfile();
    if (want == NULL || is == NULL) {
        perror(want == NULL ? path : "a temporary file");
        return false;
    }
    bool good = play(scene, is);
    rewind(is);
    int line = difference(is, want, is_line, want_line);
    if (line > 0) {
        (void)printf("%s, line %d\n  is     %s  golden %s\n", path, line, is_line, want_line);
    }
    (void)fclose(is);
    (void)fclose(want);
    return good && line == 0;
}

int main(int argc, char **argv)
{
    bool record = argc == 3 && strcmp(argv[1], "--record") == 0;
    int differ = 0;
    if (argc != 2 && !record) {
        (void)fprintf(stderr, "usage: golden [--record] FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < SCENE_COUNT; i++) {
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof path, "%s/%s.txt", argv[argc - 1], SCENES[i].name);
        if (!record) {
            differ += compare(&SCENES[i], path) ? 0 : 1;
            continue;
        }
        FILE *out = fopen(path, "w");
        if (out == NULL) {
            perror(path);
            return 2;
        }
        differ += play(&SCENES[i], out) ? 0 : 1;
        (void)fclose(out);
    }
    (void)printf("%zu golden traces %s, %d differ\n", SCENE_COUNT, record ? "recorded" : "compared",
                 differ);
    return differ > 0 ? 1 : 0;
}
