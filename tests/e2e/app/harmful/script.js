self.localStorage?.setItem('touched', 'script');
self.postMessage?.('touched');
