/*
 * The init container redis-ha-boot: copies the boot scripts into the volume that the pod's containers share.
 * One static program, so that the image holds nothing else: no shell, no libraries.
 *
 *   install [TO [FROM]]     TO /redis-ha, FROM /boot; the scripts go to TO/bin
 *
 * Each file is written beside its name and renamed, so that a script that runs at that moment is never changed under it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what, const char *path) {
  fprintf(stderr, "redis-ha: %s %s: %s\n", what, path, strerror(errno));
  exit(1);
}

static void join(char out[PATH_MAX], const char *folder, const char *name) {
  if (snprintf(out, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) {
    errno = ENAMETOOLONG;
    fail("cannot use", folder);
  }
}

/* Makes a folder with exactly this mode; one that is there and cannot be changed is good enough. */
static void make_folder(const char *path, mode_t mode) {
  if (mkdir(path, mode) != 0 && errno != EEXIST) fail("cannot make", path);
  if (chmod(path, mode) != 0 && errno != EPERM) fail("cannot set the mode of", path);
}

static void copy_file(const char *from, const char *to) {
  char draft[PATH_MAX];
  char bytes[16384];
  ssize_t count;
  if (snprintf(draft, sizeof draft, "%s.new", to) >= PATH_MAX) fail("cannot use", to);
  int in = open(from, O_RDONLY | O_CLOEXEC);
  if (in < 0) fail("cannot read", from);
  unlink(draft);
  int out = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  if (out < 0) fail("cannot write", draft);
  while ((count = read(in, bytes, sizeof bytes)) > 0) {
    for (ssize_t done = 0; done < count;) {
      ssize_t part = write(out, bytes + done, (size_t)(count - done));
      if (part < 0) fail("cannot write", draft);
      done += part;
    }
  }
  if (count < 0) fail("cannot read", from);
  if (fchmod(out, 0755) != 0) fail("cannot set the mode of", draft);
  if (close(out) != 0) fail("cannot write", draft);
  close(in);
  if (rename(draft, to) != 0) fail("cannot rename", draft);
}

static int copy_folder(const char *from, const char *to) {
  int files = 0;
  DIR *folder = opendir(from);
  if (folder == NULL) fail("cannot read", from);
  make_folder(to, 0755);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    char source[PATH_MAX], target[PATH_MAX];
    struct stat kind;
    if (entry->d_name[0] == '.') continue;
    join(source, from, entry->d_name);
    join(target, to, entry->d_name);
    if (stat(source, &kind) != 0) fail("cannot read", source);
    if (S_ISDIR(kind.st_mode)) files += copy_folder(source, target);
    else {
      copy_file(source, target);
      files++;
    }
  }
  closedir(folder);
  return files;
}

int main(int count, char **words) {
  const char *home = count > 1 ? words[1] : "/redis-ha";
  const char *from = count > 2 ? words[2] : "/boot";
  char path[PATH_MAX];
  umask(0);
  join(path, home, "bin");
  int files = copy_folder(from, path);
  /* Written by the redis and the sentinel, whatever user they run as. */
  join(path, home, "redis");
  make_folder(path, 0777);
  join(path, home, "sentinel");
  make_folder(path, 0777);
  printf("redis-ha: %d boot scripts are in %s/bin\n", files, home);
  return 0;
}
