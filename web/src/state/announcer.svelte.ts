// What a screen reader is told, and short notices at the foot of the page.

class Announcer {
  spoken = $state('');

  say(text: string): void {
    // The same words twice in a row would not be read: a no-break space makes them new.
    this.spoken = this.spoken === text ? `${text}\u00a0` : text;
  }
}

export const announcer = new Announcer();

export interface Notice {
  text: string;
  action?: { label: string; run: () => void };
}

class Notices {
  current: Notice | null = $state(null);
  private timer: ReturnType<typeof setTimeout> | undefined;

  show(notice: Notice, ms = 8000): void {
    clearTimeout(this.timer);
    this.current = notice;
    this.timer = setTimeout(() => this.close(), ms);
  }

  close(): void {
    clearTimeout(this.timer);
    this.current = null;
  }
}

export const notices = new Notices();
