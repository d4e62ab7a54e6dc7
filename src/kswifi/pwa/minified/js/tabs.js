/*bd265d40dfd6eb6831dc39ee1098b3f4f4d146dfe4f7dae1f443959392b8df08*/
const n="BroadcastChannel"in self?new BroadcastChannel("kswifi"):null,a={};n?.addEventListener("message",({data:[s,e]})=>a[s]?.(e));const t=(s,e)=>n?.postMessage([s,e]),o=(s,e)=>{a[s]=e};export{o as onTabs,t as tellTabs};
