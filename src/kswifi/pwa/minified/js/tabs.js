/*02b26081ddace34821546a1d4ff272e1e9af4b15fad36b976d20862e31b58949*/
const n="BroadcastChannel"in self?new BroadcastChannel("kswifi"):null,a={};n?.addEventListener("message",({data:[s,e]})=>a[s]?.(e));const t=(s,e)=>n?.postMessage([s,e]),o=(s,e)=>{a[s]=e};export{o as onTabs,t as tellTabs};
